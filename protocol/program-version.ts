/** The version of this program, as package.json has it; a test keeps the two the same. */
export const programVersion = "0.1.0";
