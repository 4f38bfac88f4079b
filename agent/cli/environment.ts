/** The variables of the environment, as commands get them. */
export type Environment = Readonly<Record<string, string | undefined>>;
