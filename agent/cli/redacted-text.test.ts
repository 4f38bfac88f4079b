import { expect, it } from "vitest";
import { redactedJson, redactedText } from "./redacted-text.ts";

it("takes secrets out of texts, wherever they stand", () => {
  const secret = "Zq9xW4";
  const texts = [
    `rest:https://ann:${secret}@example.org/repo is out of reach`,
    `GET https://hooks.example.org/x?token=${secret}&more=1 failed`,
    `Authorization: Bearer ${secret}abc.def`,
    `BACKSTAY_PASSWORD=${secret}`,
    `{"password": "${secret} with spaces"}`,
    `AWS_SECRET_ACCESS_KEY: ${secret}`,
    `account_key='${secret} and more'`,
    `-----BEGIN OPENSSH PRIVATE KEY-----\n${secret}\n-----END OPENSSH PRIVATE KEY-----`,
    `-----BEGIN PRIVATE KEY-----\n${secret} cut off`,
    `cookie of eyJhbGciOiJIUzI1NiJ9.eyJ${secret}.sig${secret}`,
  ];
  for (const text of texts) {
    const redacted = redactedText(text);
    expect(redacted).not.toContain(secret);
    expect(redacted).toContain("(removed)");
  }
});

it("leaves what is no secret as it is", () => {
  for (const text of [
    "policy etc: every day at 22:30 to /mnt/disk/backup",
    "https://example.org/path: HTTP 503",
    "The password opens none of the repository's keys.",
    "keys of the repository: 3",
  ])
    expect(redactedText(text)).toBe(text);
});

it("knows secrets in JSON by the names of their fields, at any depth", () => {
  const value = {
    name: "etc",
    destination: { credentials: "s3cr3t", repository: "s3:https://a:b@host/x" },
    list: [{ apiKey: "s3cr3t", webhook: "https://h/?t=s3cr3t" }],
    passwordTries: 3,
    encryption: { password: { secret: "s3cr3t" } },
    nothing: null,
  };
  const redacted = redactedJson(value);
  expect(JSON.stringify(redacted)).not.toContain("s3cr3t");
  expect(redacted).toMatchObject({ name: "etc", passwordTries: 3, nothing: null });
});
