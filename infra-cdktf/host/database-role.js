// Runs inside the image of the API (host/database-role.sh). Without MASTER_USER it checks whether the role of
// DATABASE_URL can log in, and exits with code 3 if not. With MASTER_USER it creates or updates the role and
// makes it the owner of the database.
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import pg from 'pg'

const { DATABASE_URL, MASTER_USER, MASTER_PASSWORD } = process.env
// Invalid password (or no such role), invalid authorization, insufficient privilege.
const LOGIN_ERRORS = ['28P01', '28000', '42501']
const url = new URL(DATABASE_URL)
const role = decodeURIComponent(url.username)
const password = decodeURIComponent(url.password)
const database = url.pathname.slice(1)

if (MASTER_USER) await createRole()
else await tryRole()

async function tryRole() {
  try {
    await useDatabase(url, (client) => client.query('select 1'))
  } catch (error) {
    if (!LOGIN_ERRORS.includes(error.code)) throw error
    process.exitCode = 3
  }
}

async function createRole() {
  const asMaster = new URL(url)
  asMaster.username = encodeURIComponent(MASTER_USER)
  asMaster.password = encodeURIComponent(MASTER_PASSWORD)
  await useDatabase(asMaster, async (client) => {
    const name = client.escapeIdentifier(role)
    const { rowCount } = await client.query('select from pg_roles where rolname = $1', [role])
    await client.query(
      `${rowCount ? 'alter' : 'create'} role ${name} login password ${client.escapeLiteral(scramVerifier())}`,
    )
    // Changing the owner of a database requires membership in the new owner's role.
    await client.query(`grant ${name} to current_user`)
    await client.query(`alter database ${client.escapeIdentifier(database)} owner to ${name}`)
  })
}

/**
 * Returns the SCRAM-SHA-256 verifier of the password (RFC 5803), in the format in which Postgres stores it.
 * The server logs the statement that sets it, so the statement must not contain the password itself.
 * @throws Error for a password with characters other than printable ASCII: clients would normalize it
 *   differently (SASLprep, RFC 4013, which node-postgres does not implement)
 */
function scramVerifier() {
  if (!/^[ -~]+$/.test(password))
    throw new Error('DATABASE_PASSWORD must consist of printable ASCII characters')
  const iterations = 4096 // the default of Postgres (scram_iterations)
  const salt = randomBytes(16)
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256')
  const keyOf = (name) => createHmac('sha256', salted).update(name).digest()
  const storedKey = createHash('sha256').update(keyOf('Client Key')).digest('base64')
  const serverKey = keyOf('Server Key').toString('base64')
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${serverKey}`
}

async function useDatabase(address, work) {
  const client = new pg.Client({ connectionString: address.href, connectionTimeoutMillis: 10_000 })
  try {
    await client.connect()
    await work(client)
  } finally {
    await client.end()
  }
}
