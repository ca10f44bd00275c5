// Runs inside the image of the API (host/database-role.sh). Without MASTER_USER it only looks whether the role of
// DATABASE_URL gets in, and ends with 3 when it does not; with it, it makes the role the owner of its database.
import pg from 'pg'

const { DATABASE_URL, MASTER_USER, MASTER_PASSWORD } = process.env
// Nobody there, a wrong password, or no right to connect.
const REFUSALS = ['28P01', '28000', '42501']
const url = new URL(DATABASE_URL)
const role = decodeURIComponent(url.username)
const password = decodeURIComponent(url.password)
const database = url.pathname.slice(1)

if (MASTER_USER) await makeRole()
else await tryRole()

async function tryRole() {
  try {
    await useDatabase(url, (client) => client.query('select 1'))
  } catch (error) {
    if (!REFUSALS.includes(error.code)) throw error
    process.exitCode = 3
  }
}

async function makeRole() {
  const asMaster = new URL(url)
  asMaster.username = encodeURIComponent(MASTER_USER)
  asMaster.password = encodeURIComponent(MASTER_PASSWORD)
  await useDatabase(asMaster, async (client) => {
    const name = client.escapeIdentifier(role)
    const { rowCount } = await client.query('select from pg_roles where rolname = $1', [role])
    await client.query(
      `${rowCount ? 'alter' : 'create'} role ${name} login password ${client.escapeLiteral(password)}`,
    )
    // Who gives a database away must be able to become its new owner.
    await client.query(`grant ${name} to current_user`)
    await client.query(`alter database ${client.escapeIdentifier(database)} owner to ${name}`)
  })
}

async function useDatabase(at, work) {
  const client = new pg.Client({ connectionString: at.href, connectionTimeoutMillis: 10_000 })
  try {
    await client.connect()
    await work(client)
  } finally {
    await client.end()
  }
}
