/** What the benchmark says in the environment. */

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === "") {
    throw new Error(`Set ${name}: the benchmark does it.`);
  }
  return value;
}

export const settings = {
  port: Number(required("PORT")),
  secret: required("JWT_SECRET"),
  /** Where the Messages API is. */
  upstream: required("ANTHROPIC_BASE_URL"),
};
