// Runs inside the image of the API (host/database-role.sh). Without MASTER_USER it checks whether the role of
// DATABASE_URL can log in, and exits with code 3 if not. With MASTER_USER it creates or updates the role and
// makes it the owner of the database.
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
      `${rowCount ? 'alter' : 'create'} role ${name} login password ${client.escapeLiteral(password)}`,
    )
    // Changing the owner of a database requires membership in the new owner's role.
    await client.query(`grant ${name} to current_user`)
    await client.query(`alter database ${client.escapeIdentifier(database)} owner to ${name}`)
  })
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
