/** Names of PostgreSQL schemas that this house makes: the journal's and the jobs'. */

/**
 * Lower case letters, digits and underscores, 41 of them at most, no digit first: it stands for itself in
 * SQL, quoted or not, and what is made with it behind a dot is within the 63 bytes that PostgreSQL keeps.
 */
export function isSchemaName(name: string): boolean {
  return /^[a-z_][a-z0-9_]{0,40}$/.test(name)
}
