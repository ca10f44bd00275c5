// Hostile requests as bytes, grouped by kind. Each entry is a different attack, or the same attack on a
// different field.
import { type RawHeaders, requestOf } from './raw-http.ts'

/**
 * A request as bytes. Tests replace `{finished}` by the id of a finished task, `{FINISHED}` by the same id in
 * capitals, and `{waiting}` by the id of a waiting task.
 */
export interface Attack {
  name: string
  request: string
  /** The allowed statuses; 0 stands for a connection that is closed without a response. */
  expected: number[]
  /** The request needs no API key. */
  isPublic?: true
}

export const BODY_LIMIT = 256 * 1024
const UNKNOWN_ID = '01890000-0000-7000-8000-000000000000'
const JSON_TYPE: RawHeaders = [['Content-Type', 'application/json']]
const FORM_TYPE: RawHeaders = [['Content-Type', 'application/x-www-form-urlencoded']]
const LONE_SURROGATE = '\\ud800'

const MAIL = { recipient: 'a@example.com', subject: 's', body: 'b' }
const VALID_KINDS: Record<string, ('number' | 'array' | 'string')[]> = {
  delay_seconds: ['number'],
  max_retries: ['number'],
  timeout_seconds: ['number'],
  queue: ['string'],
  tags: ['array'],
}

export const ATTACKS: Attack[] = [
  ...brokenBodies(),
  ...wrongTypes(),
  ...wrongNumbers(),
  ...wrongTimes(),
  ...hugeValues(),
  ...deepValues(),
  ...prototypes(),
  ...unstorableTexts(),
  ...wrongMethods(),
  ...wrongContentTypes(),
  ...forms(),
  ...batches(),
  ...replays(),
  ...queries(),
  ...ids(),
  ...staticPaths(),
  ...hostileHeaders(),
  ...framing(),
  ...targets(),
]

// The kinds of attacks.

function brokenBodies(): Attack[] {
  const BROKEN: [name: string, body: string][] = [
    ['an empty body', ''],
    ['an unclosed object', '{"input":{"text":"a"}'],
    ['two values', '{"input":{"text":"a"}}{}'],
    ['a comment', '{"input":{"text":"a"}/* */}'],
    ['a trailing comma', '{"input":{"text":"a"},}'],
    ['single quotes', "{'input':{'text':'a'}}"],
    ['unquoted names', '{input:{text:"a"}}'],
    ['a raw line break in a string', '{"input":{"text":"a\nb"}}'],
    ['a raw NUL in a string', '{"input":{"text":"\u0000"}}'],
    ['a bad escape', '{"input":{"text":"\\x41"}}'],
    ['an incomplete escape', '{"input":{"text":"\\u12"}}'],
    ['a number with a leading zero', '{"input":{"text":01}}'],
    ['a number in hexadecimal', '{"input":{"text":0x10}}'],
    ['NaN', '{"input":NaN}'],
    ['Infinity', '{"input":-Infinity}'],
    ['undefined', '{"input":undefined}'],
    ['unclosed brackets', '['.repeat(100_000)],
    ['YAML', 'input:\n  text: a\n'],
    ['XML with an entity', '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hosts">]><a>&b;</a>'],
  ]
  const submissions = BROKEN.map(([name, body]) =>
    attack(`broken JSON for a submission: ${name}`, post('/v1/tasks/reverse', body), 400),
  )
  const others = ['/v1/tasks/batch', `/v1/tasks/{finished}/replay`, '/notify', '/submit_task'].flatMap(
    (path) =>
      BROKEN.slice(0, 3).map(([name, body]) =>
        attack(`broken JSON for ${path}: ${name}`, post(path, body), 400),
      ),
  )
  return [
    ...submissions,
    ...others,
    attack('a body in UTF-16', post('/v1/tasks/reverse', Buffer.from('{"input":{}}', 'utf16le')), 400),
    attack('a body that is not UTF-8', post('/v1/tasks/reverse', Buffer.from([0x22, 0xff])), 400),
    attack('invalid UTF-8 in a member name', postRaw('/v1/tasks/anything', '{"input":{"\xff":1}}'), 202),
    attack(
      'invalid UTF-8 in a tag',
      postRaw('/v1/tasks/anything', '{"input":1,"options":{"tags":["\xc0\xaf"]}}'),
      202,
    ),
    attack(
      'invalid UTF-8 in a queue',
      postRaw('/v1/tasks/anything', '{"input":1,"options":{"queue":"\xc0\xaf"}}'),
      422,
    ),
    attack(
      'invalid UTF-8 with an Idempotency-Key',
      postRaw('/v1/tasks/anything', '{"input":"\xed\xa0\x80"}', keyed('utf-8')),
      202,
    ),
    attack('a byte order mark', post('/v1/tasks/reverse', '\ufeff{"input":{"text":"a"}}'), 202, 400),
    attack(
      'a compressed body',
      post('/v1/tasks/reverse', Buffer.from('1f8b0800', 'hex'), [['Content-Encoding', 'gzip']]),
      400,
      415,
    ),
  ]
}

function wrongTypes(): Attack[] {
  const VALUES = { null: null, true: true, number: 7, string: 'text', array: [], object: {} }
  type Kind = keyof typeof VALUES
  const FIELDS: [field: string, path: string, bodyWith: (value: unknown) => unknown, valid: Kind[]][] = [
    ['input of reverse', '/v1/tasks/reverse', (input) => ({ input }), []],
    ['text of reverse', '/v1/tasks/reverse', (text) => ({ input: { text } }), ['string']],
    ['text of sentiment', '/v1/tasks/sentiment', (text) => ({ input: { text } }), ['string']],
    ['x of divide', '/v1/tasks/divide', (x) => ({ input: { x, y: 1 } }), ['number']],
    ['email of notify', '/notify', (email) => ({ email }), []],
    ['recipient of email', '/v1/tasks/email', (recipient) => ({ input: { ...MAIL, recipient } }), []],
    ['subject of email', '/v1/tasks/email', (subject) => ({ input: { ...MAIL, subject } }), ['string']],
    ['form_type', '/submit_task', (form_type) => ({ form_type, text: 'a' }), []],
    ['text of a form', '/submit_task', (text) => ({ form_type: 'reverse', text }), ['string']],
    ['options', '/v1/tasks/anything', (options) => ({ input: 1, options }), ['object']],
    ...['run_at', 'delay_seconds', 'max_retries', 'timeout_seconds', 'queue', 'tags'].map(
      (option): [string, string, (value: unknown) => unknown, Kind[]] => [
        option,
        '/v1/tasks/anything',
        (value) => ({ input: 1, options: { [option]: value } }),
        VALID_KINDS[option] ?? [],
      ],
    ),
    ['a tag', '/v1/tasks/anything', (tag) => ({ input: 1, options: { tags: [tag] } }), ['string']],
    ['tasks of a batch', '/v1/tasks/batch', (tasks) => ({ tasks }), []],
    ['options of a replay', '/v1/tasks/{finished}/replay', (options) => ({ options }), ['object']],
    ['a whole submission', '/v1/tasks/reverse', (body) => body, []],
    ['a whole batch', '/v1/tasks/batch', (body) => body, []],
    ['a whole notification', '/notify', (body) => body, []],
  ]
  return FIELDS.flatMap(([field, path, bodyWith, valid]) =>
    Object.entries(VALUES)
      .filter(([kind]) => !valid.includes(kind as Kind))
      .map(([kind, value]) =>
        attack(`${field} is ${kind}`, post(path, JSON.stringify(bodyWith(value))), 422),
      ),
  )
}

function wrongNumbers(): Attack[] {
  const NUMBERS: [field: string, written: string, expected: number][] = [
    ['delay_seconds', '-1', 422],
    ['delay_seconds', '1e999', 422],
    ['delay_seconds', '-1e999', 422],
    ['delay_seconds', '1e308', 422],
    ['delay_seconds', '-0', 202],
    ['delay_seconds', '5e-324', 202],
    ['delay_seconds', '31622401', 422],
    ['max_retries', '1.5', 422],
    ['max_retries', '101', 422],
    ['max_retries', '-1', 422],
    ['max_retries', '9007199254740993', 422],
    ['max_retries', '2147483648', 422],
    ['max_retries', '1e2', 202],
    ['timeout_seconds', '0', 422],
    ['timeout_seconds', '1e9', 422],
    ['timeout_seconds', '0.1000000000000000000000000001', 202],
    ['timeout_seconds', '604800.0000001', 422],
  ]
  const options = NUMBERS.map(([field, written, expected]) =>
    attack(
      `${field} ${written}`,
      post('/v1/tasks/anything', `{"input":1,"options":{"${field}":${written}}}`),
      expected,
    ),
  )
  const divisions = ['1e999', '-1e999', '"1"', '"NaN"', '"0x10"'].map((x) =>
    attack(`division of ${x}`, post('/v1/tasks/divide', `{"input":{"x":${x},"y":1}}`), 422),
  )
  const links: [string, number][] = [
    ['x=1e999', 422],
    ['x=NaN', 422],
    ['x=-Infinity', 422],
    ['x=', 422],
    ['x=1,5', 422],
    ['x=0x10', 200],
    ['x=9007199254740993', 422],
    ['x=9007199254740992', 200],
    ['x=-0', 200],
    ['x=1&x=2&y[]=3', 200],
    ['__proto__=1&constructor=2&__proto__[y]=3', 200],
    [`x=${'9'.repeat(400)}`, 422],
    ['x=%00', 422],
  ]
  return [
    ...options,
    ...divisions,
    ...links.map(([search, status]) =>
      attack(
        `a GET request that divides: ${search.slice(0, 40)}`,
        requestOf('GET', `/submit_task?${search}`),
        status,
      ),
    ),
    attack(
      'a GET request that divides a number beyond the range of a double, with an Idempotency-Key',
      requestOf('GET', '/submit_task?x=1e999', keyed('link')),
      422,
    ),
    attack('a number beyond the range of a double', post('/v1/tasks/anything', '{"input":1e999}'), 422),
    attack(
      'a number beyond the range of a double, with an Idempotency-Key',
      post('/v1/tasks/anything', '{"input":[-1e999]}', keyed('1e999')),
      422,
    ),
    attack('a number of 10,000 digits', post('/v1/tasks/anything', `{"input":${'1'.repeat(10_000)}}`), 422),
    attack(
      '40,000 numbers beyond the range of a double',
      post('/v1/tasks/anything', `{"input":[${'1e999,'.repeat(40_000)}1]}`),
      422,
    ),
    attack(
      'a large number with 200,000 zeros before its last digit',
      post('/v1/tasks/anything', `{"input":10000000000000000.${'0'.repeat(200_000)}1}`),
      422,
    ),
    attack(
      'a number beyond the range of a double, inside 100,000 brackets',
      post('/v1/tasks/anything', `{"input":${'['.repeat(100_000)}1e999${']'.repeat(100_000)}}`),
      422,
    ),
    attack(
      'a batch of 900 numbers beyond the range of a double',
      post('/v1/tasks/batch', `{"tasks":[${'{"name":"anything","input":1e999},'.repeat(900)}7]}`),
      202,
    ),
  ]
}

function wrongTimes(): Attack[] {
  const TIMES: [time: string, expected: number][] = [
    ['+275760-09-13T00:00:00Z', 422],
    ['+275760-09-13T00:00:00.001Z', 422],
    ['-000001-01-01T00:00:00Z', 422],
    ['10000-01-01T00:00:00Z', 422],
    ['9999-12-31T23:59:59-23:59', 422],
    ['9999-12-31T23:59:59.999Z', 202],
    ['0000-01-01T00:00:00Z', 202],
    ['0000-01-01T00:00:00+23:59', 202],
    ['2023-02-29T00:00:00Z', 422],
    ['2030-01-01T24:00:00Z', 422],
    ['2030-01-01T00:00:60Z', 422],
    ['2030-01-01T00:00:00', 422],
    ['2030-01-01', 422],
    ['2030-01-01T00:00:00+99:99', 422],
    ['2030-01-01T00:00:00Z\u0000', 422],
    ['now()', 422],
    ['infinity', 422],
    ['1e999', 422],
    [`2030-01-01T00:00:00.${'0'.repeat(10_000)}Z`, 202],
  ]
  return TIMES.map(([run_at, expected]) =>
    attack(
      `run_at ${JSON.stringify(run_at.slice(0, 40))}`,
      post('/v1/tasks/anything', JSON.stringify({ input: 1, options: { run_at } })),
      expected,
    ),
  )
}

function hugeValues(): Attack[] {
  const long = 'x'.repeat(200_000)
  const of = (input: unknown, options?: unknown) => JSON.stringify({ input, options })
  return [
    attack('a text of 200,000 letters', post('/v1/tasks/reverse', of({ text: long })), 422),
    attack('a member name of 200,000 letters', post('/v1/tasks/anything', of({ [long]: 1 })), 202),
    attack(
      'an unknown member with a name of 200,000 letters',
      post('/v1/tasks/reverse', `{"input":{"text":"a"},"${long}":1}`),
      422,
    ),
    attack('a queue of 200,000 letters', post('/v1/tasks/anything', of(1, { queue: long })), 422),
    attack('a tag of 200,000 letters', post('/v1/tasks/anything', of(1, { tags: [long] })), 422),
    attack(
      '120,000 tags that are numbers',
      post('/v1/tasks/anything', `{"input":1,"options":{"tags":[${'1,'.repeat(120_000)}1]}}`),
      422,
    ),
    attack(
      '20,000 unknown members',
      post(
        '/v1/tasks/anything',
        JSON.stringify({
          input: 1,
          ...Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`m${n}`, 0])),
        }),
      ),
      422,
    ),
    attack('a form_type of 200,000 letters', post('/submit_task', JSON.stringify({ form_type: long })), 422),
    attack(
      'an e-mail address of 200,000 letters',
      post('/notify', JSON.stringify({ email: `${long}@example.com` })),
      422,
    ),
    attack(
      'an e-mail address that slows down naive regular expressions',
      post('/notify', JSON.stringify({ email: `${'a.'.repeat(50_000)}@${'a-'.repeat(10_000)}` })),
      422,
    ),
    attack(
      'a text of 60,000 combining marks on one letter',
      post('/v1/tasks/reverse', of({ text: `a${'\u0301'.repeat(60_000)}` })),
      422,
    ),
    attack('100,000 elements', post('/v1/tasks/anything', of(new Array(100_000).fill(0))), 202),
    attack(
      '100,000 elements with an Idempotency-Key',
      post('/v1/tasks/anything', of(new Array(100_000).fill(0)), keyed('wide')),
      202,
    ),
  ]
}

function deepValues(): Attack[] {
  const arrays = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)
  const objects = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`
  return [
    attack('100,000 brackets', post('/v1/tasks/anything', `{"input":${arrays(100_000)}}`), 422),
    attack(
      '100,000 brackets with an Idempotency-Key',
      post('/v1/tasks/anything', `{"input":${arrays(100_000)}}`, keyed('deep')),
      422,
    ),
    attack(
      '40,000 objects within each other',
      post('/v1/tasks/anything', `{"input":${objects(40_000)}}`),
      422,
    ),
    attack(
      '40,000 objects with an Idempotency-Key',
      post('/v1/tasks/anything', `{"input":${objects(40_000)}}`, keyed('objects')),
      422,
    ),
    attack('a body of nothing but brackets', post('/v1/tasks/anything', arrays(100_000)), 422),
    attack('deep options', post('/v1/tasks/anything', `{"input":1,"options":${objects(40_000)}}`), 422),
    attack('deep tags', post('/v1/tasks/anything', `{"input":1,"options":{"tags":${arrays(100_000)}}}`), 422),
    attack('a deep unknown member', post('/v1/tasks/anything', `{"input":1,"more":${arrays(100_000)}}`), 422),
    attack('a deep notification', post('/notify', objects(40_000)), 422),
    attack(
      'a deep e-mail address with an Idempotency-Key',
      post('/notify', `{"email":${arrays(100_000)}}`, keyed('notify')),
      422,
    ),
    attack(
      'a deep unknown member of a notification with an Idempotency-Key',
      post('/notify', `{"email":"a@example.com","a":${arrays(100_000)}}`, keyed('notify-2')),
      422,
    ),
    attack('a deep form_type', post('/submit_task', `{"form_type":${arrays(100_000)}}`), 422),
    attack(
      'a deep field of a form with an Idempotency-Key',
      post('/submit_task', `{"form_type":"reverse","text":${objects(40_000)}}`, keyed('form')),
      422,
    ),
    attack('a deep batch', post('/v1/tasks/batch', `{"tasks":${arrays(100_000)}}`, keyed('batch')), 202, 422),
    attack(
      'a deep task in a batch',
      post('/v1/tasks/batch', `{"tasks":[{"name":"anything","input":${arrays(100_000)}}]}`),
      202,
    ),
    attack('a deep replay', post('/v1/tasks/{finished}/replay', `{"input":${arrays(100_000)}}`), 422),
    attack(
      'a deep replay with an Idempotency-Key',
      post('/v1/tasks/{finished}/replay', `{"input":${arrays(100_000)}}`, keyed('replay')),
      422,
    ),
    attack(
      'an input of the maximum depth',
      post('/v1/tasks/anything', `{"input":${arrays(100)}}`, keyed('just')),
      202,
    ),
    attack(
      'an input one level deeper than the maximum',
      post('/v1/tasks/anything', `{"input":${arrays(101)}}`, keyed('one-more')),
      422,
    ),
  ]
}

function prototypes(): Attack[] {
  const polluted = '{"polluted":true,"queue":"polluted"}'
  return [
    attack('__proto__ in an input', post('/v1/tasks/anything', `{"input":{"__proto__":${polluted}}}`), 202),
    attack(
      '__proto__ in an input, with an Idempotency-Key',
      post('/v1/tasks/anything', `{"input":{"__proto__":${polluted}}}`, keyed('proto')),
      202,
    ),
    attack(
      'constructor.prototype in an input',
      post('/v1/tasks/anything', `{"input":{"constructor":{"prototype":${polluted}}}}`),
      202,
    ),
    attack(
      '__proto__ in the input of reverse',
      post('/v1/tasks/reverse', `{"input":{"text":"a","__proto__":${polluted}}}`),
      202,
    ),
    attack(
      '__proto__ instead of the input',
      post('/v1/tasks/reverse', '{"input":{"__proto__":{"text":"a"}}}'),
      422,
    ),
    attack(
      '__proto__ instead of a submission',
      post('/v1/tasks/reverse', '{"__proto__":{"input":{"text":"a"}}}'),
      422,
    ),
    attack(
      '__proto__ next to an input',
      post('/v1/tasks/anything', `{"input":1,"__proto__":${polluted}}`),
      422,
    ),
    attack(
      '__proto__ in options',
      post('/v1/tasks/anything', `{"input":1,"options":{"__proto__":${polluted}}}`),
      422,
    ),
    attack(
      'constructor in options',
      post('/v1/tasks/anything', `{"input":1,"options":{"constructor":${polluted}}}`),
      422,
    ),
    attack(
      'toJSON in an input, with an Idempotency-Key',
      post('/v1/tasks/anything', '{"input":{"toJSON":1,"then":2,"valueOf":3}}', keyed('toJSON')),
      202,
    ),
    attack(
      '__proto__ in a notification',
      post('/notify', `{"email":"a@example.com","__proto__":${polluted}}`),
      202,
    ),
    attack(
      '__proto__ instead of a notification',
      post('/notify', '{"__proto__":{"email":"a@example.com"}}'),
      422,
    ),
    attack('__proto__ as form_type', post('/submit_task', '{"form_type":"__proto__"}'), 422),
    attack('constructor as form_type', post('/submit_task', '{"form_type":"constructor"}'), 422),
    attack('hasOwnProperty as form_type', post('/submit_task', '{"form_type":"hasOwnProperty"}'), 422),
    attack(
      '__proto__ as a form field',
      form(
        '/submit_task',
        'form_type=reverse&text=a&__proto__=x&__proto__[polluted]=1&constructor[prototype][polluted]=1',
      ),
      303,
    ),
    attack(
      '__proto__[] as a form field',
      form('/submit_task', 'form_type=divide&x=1&y=1&__proto__[]=polluted&__proto__[]=x'),
      303,
    ),
    attack('__proto__ as the name of a task', post('/v1/tasks/__proto__', '{"input":1}'), 404),
    attack('constructor as the name of a task', post('/v1/tasks/constructor', '{"input":1}'), 404),
    attack(
      '__proto__ as a task of a batch',
      post('/v1/tasks/batch', '{"tasks":[{"__proto__":{"name":"anything","input":1}}]}'),
      202,
    ),
    attack(
      '__proto__ as the name in a batch',
      post('/v1/tasks/batch', '{"tasks":[{"name":"__proto__","input":1}]}'),
      202,
    ),
    attack(
      'constructor as a queue',
      post('/v1/tasks/anything', '{"input":1,"options":{"queue":"constructor"}}'),
      202,
    ),
    attack(
      '__proto__ as a queue',
      post('/v1/tasks/anything', '{"input":1,"options":{"queue":"__proto__"}}'),
      422,
    ),
    attack('__proto__ as a queue to pause', requestOf('POST', '/v1/queues/__proto__/pause'), 404),
    attack(
      '__proto__ as a tag',
      post('/v1/tasks/anything', '{"input":1,"options":{"tags":["__proto__"]}}'),
      202,
    ),
    attack(
      '__proto__ in a replay',
      post('/v1/tasks/{finished}/replay', `{"__proto__":{"input":${polluted}}}`),
      422,
    ),
    attack(
      '__proto__ in a query',
      requestOf('GET', '/v1/tasks?__proto__=1&__proto__=2&__proto__[limit]=0&constructor=1'),
      400,
    ),
    attack(
      'toString in a query',
      requestOf('GET', '/v1/tasks?toString=1&toString=2&hasOwnProperty=1&valueOf=1'),
      400,
    ),
    attack(
      '__proto__ as a header',
      requestOf('GET', '/v1/tasks', [
        ['__proto__', 'polluted'],
        ['constructor', 'x'],
      ]),
      200,
    ),
    attack(
      'a duplicate input, the last one valid',
      post('/v1/tasks/reverse', '{"input":{"text":7},"input":{"text":"a"}}'),
      202,
    ),
    attack(
      'a duplicate member, the last one invalid',
      post('/v1/tasks/reverse', '{"input":{"text":"a","text":7}}'),
      422,
    ),
    attack(
      'a duplicate member, the invalid one written with an escape',
      post('/v1/tasks/reverse', '{"input":{"text":"a","t\\u0065xt":7}}'),
      422,
    ),
  ]
}

function unstorableTexts(): Attack[] {
  const HOSTILE: [name: string, escaped: string][] = [
    ['a NUL', '\\u0000'],
    ['a lone surrogate', LONE_SURROGATE],
    ['surrogates in the wrong order', '\\udc00\\ud800'],
  ]
  const PLACES: [place: string, request: (text: string) => string, expected: number][] = [
    ['an input', (text) => post('/v1/tasks/anything', `{"input":"${text}"}`), 202],
    [
      'an input with an Idempotency-Key',
      (text) => post('/v1/tasks/anything', `{"input":"${text}"}`, keyed(`text ${text}`)),
      202,
    ],
    ['a member name', (text) => post('/v1/tasks/anything', `{"input":{"${text}":1}}`), 202],
    [
      'a member name with an Idempotency-Key',
      (text) => post('/v1/tasks/anything', `{"input":{"${text}":1}}`, keyed(`name ${text}`)),
      202,
    ],
    ['a text to reverse', (text) => post('/v1/tasks/reverse', `{"input":{"text":"${text}"}}`), 202],
    [
      'a subject with an Idempotency-Key',
      (text) =>
        post(
          '/v1/tasks/email',
          `{"input":{"recipient":"a@example.com","subject":"${text}x","body":"b"}}`,
          keyed(`mail ${text}`),
        ),
      202,
    ],
    ['a tag', (text) => post('/v1/tasks/anything', `{"input":1,"options":{"tags":["${text}"]}}`), 422],
    ['a queue', (text) => post('/v1/tasks/anything', `{"input":1,"options":{"queue":"a${text}"}}`), 422],
    ['an unknown option', (text) => post('/v1/tasks/anything', `{"input":1,"options":{"${text}":1}}`), 422],
    [
      'an unknown member of a submission',
      (text) => post('/v1/tasks/anything', `{"input":1,"${text}":1}`),
      422,
    ],
    [
      'an unknown member of a submission with an Idempotency-Key',
      (text) => post('/v1/tasks/anything', `{"input":1,"${text}":1}`, keyed(`unknown ${text}`)),
      422,
    ],
    ['a time', (text) => post('/v1/tasks/anything', `{"input":1,"options":{"run_at":"${text}"}}`), 422],
    [
      'the name of a task in a batch',
      (text) => post('/v1/tasks/batch', `{"tasks":[{"name":"${text}","input":1}]}`),
      202,
    ],
    [
      'an input in a batch with an Idempotency-Key',
      (text) =>
        post('/v1/tasks/batch', `{"tasks":[{"name":"anything","input":"${text}"}]}`, keyed(`batch ${text}`)),
      202,
    ],
    [
      'an unknown member in a batch',
      (text) => post('/v1/tasks/batch', `{"tasks":[{"name":"anything","input":1,"${text}":1}]}`),
      202,
    ],
    [
      'a replay with an Idempotency-Key',
      (text) =>
        post('/v1/tasks/{finished}/replay', `{"input":{"${text}":"${text}"}}`, keyed(`replay ${text}`)),
      202,
    ],
    ['a form_type', (text) => post('/submit_task', `{"form_type":"reverse${text}","text":"a"}`), 422],
    [
      'a field of a form with an Idempotency-Key',
      (text) => post('/submit_task', `{"form_type":"reverse","text":"${text}"}`, keyed(`form ${text}`)),
      202,
    ],
    ['an e-mail address', (text) => post('/notify', `{"email":"${text}@example.com"}`), 422],
    [
      'an unknown member of a notification with an Idempotency-Key',
      (text) => post('/notify', `{"email":"a@example.com","${text}":1}`, keyed(`notify ${text}`)),
      202,
    ],
  ]
  return PLACES.flatMap(([place, request, expected]) =>
    HOSTILE.map(([kind, escaped]) => attack(`${kind} in ${place}`, request(escaped), expected)),
  )
}

function wrongMethods(): Attack[] {
  const ROUTES: [path: string, valid: string[]][] = [
    ['/notify', ['POST']],
    ['/notify/', ['POST']],
    ['/submit_task', ['POST', 'GET', 'HEAD']],
    ['/task_status/{finished}', ['GET', 'HEAD']],
    ['/check_task/{finished}', ['GET', 'HEAD']],
    ['/v1/definitions', ['GET', 'HEAD']],
    ['/v1/tasks', ['GET', 'HEAD']],
    ['/v1/tasks/batch', ['POST', 'GET', 'HEAD']],
    ['/v1/tasks/{finished}', ['GET', 'HEAD', 'POST']],
    ['/v1/tasks/{finished}/events', ['GET', 'HEAD']],
    ['/v1/tasks/{finished}/cancel', ['POST']],
    ['/v1/tasks/{finished}/retry', ['POST']],
    ['/v1/tasks/{finished}/replay', ['POST']],
    ['/v1/workers', ['GET', 'HEAD']],
    ['/v1/stats', ['GET', 'HEAD']],
    ['/v1/queues', ['GET', 'HEAD']],
    ['/v1/queues/default/pause', ['POST']],
    ['/v1/queues/default/resume', ['POST']],
  ]
  const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'QUERY']
  return [
    ...ROUTES.flatMap(([path, valid], index) =>
      // Send three of the methods to each route, so that each method is sent to several routes.
      [0, 1, 2]
        .map((step) => METHODS[(index * 2 + step * 3) % METHODS.length] ?? '')
        .filter((method) => !valid.includes(method))
        .map((method) => attack(`${method} ${path}`, requestOf(method, path, JSON_TYPE, '{}'), 405)),
    ),
    attack('an unknown method', requestOf('BREW', '/v1/tasks'), 400),
    attack('a method in lowercase', requestOf('get', '/v1/tasks'), 400),
    attack('a method of 10,000 letters', requestOf('G'.repeat(10_000), '/v1/tasks'), 400),
    attack('CONNECT', requestOf('CONNECT', 'localhost:1'), 0, 400, 405),
    attack(
      'a method in a header',
      requestOf('GET', '/v1/tasks/{waiting}/cancel', [['X-HTTP-Method-Override', 'POST']]),
      405,
    ),
  ]
}

function wrongContentTypes(): Attack[] {
  const TYPES: [type: string, expected: number][] = [
    ['application/json-seq', 415],
    ['application/jsonp', 415],
    ['application/json, application/json', 415],
    ['text/html', 415],
    ['*/*', 415],
    ['application/json\xa0', 202],
    [`application/${'x'.repeat(4_000)}json`, 415],
    ['multipart/form-data; boundary=x', 415],
    ['application/merge-patch+json', 202],
    ['APPLICATION/JSON;charset=utf-7', 202],
  ]
  const body = '{"input":{"text":"a"}}'
  return [
    ...TYPES.map(([type, expected]) =>
      attack(
        `a submission as ${type.slice(0, 40)}`,
        requestOf('POST', '/v1/tasks/reverse', [['Content-Type', type]], body),
        expected,
      ),
    ),
    ...TYPES.filter(([, expected]) => expected === 415).map(([type]) =>
      attack(
        `a replay as ${type.slice(0, 40)}`,
        requestOf('POST', '/v1/tasks/{finished}/replay', [['Content-Type', type]], '{"input":"b"}'),
        415,
      ),
    ),
    attack(
      'two content types, one of them valid',
      requestOf('POST', '/v1/tasks/reverse', [['Content-Type', 'text/plain'], ...JSON_TYPE], body),
      415,
    ),
    attack(
      'a replay with a body but without a Content-Type',
      requestOf('POST', '/v1/tasks/{finished}/replay', [], '{"input":"b"}'),
      415,
    ),
    attack(
      'a chunked replay without a Content-Type',
      requestOf(
        'POST',
        '/v1/tasks/{finished}/replay',
        [['Transfer-Encoding', 'chunked']],
        'd\r\n{"input":"b"}\r\n0\r\n\r\n',
      ),
      415,
    ),
    attack(
      'a notification as json-seq',
      requestOf('POST', '/notify', [['Content-Type', 'application/json-seq']], '{"email":"a@example.com"}'),
      415,
    ),
    attack(
      'a form as multipart/form-data-x',
      requestOf('POST', '/notify', [['Content-Type', 'multipart/form-data-x; boundary=b']], '--b--'),
      415,
    ),
  ]
}

function forms(): Attack[] {
  const multipart = (parts: string[], type = 'multipart/form-data; boundary=b') =>
    requestOf(
      'POST',
      '/submit_task',
      [['Content-Type', type]],
      `${parts.map((part) => `--b\r\n${part}\r\n`).join('')}--b--\r\n`,
    )
  const field = (name: string, value: string) =>
    `Content-Disposition: form-data; name="${name}"\r\n\r\n${value}`
  const file = (name: string, fileName: string) =>
    `Content-Disposition: form-data; name="${name}"; filename="${fileName}"\r\nContent-Type: text/html\r\n\r\n<script>`
  const type = field('form_type', 'reverse')
  return [
    attack('a file instead of a text', multipart([type, file('text', 'a.txt')]), 422),
    attack('a file with the name of a path', multipart([type, file('text', '../../../etc/hosts')]), 422),
    attack('a file instead of a form_type', multipart([file('form_type', 'reverse')]), 422),
    attack('a file in an unknown field', multipart([type, field('text', 'a'), file('more', 'a.exe')]), 303),
    attack(
      'a file with an Idempotency-Key',
      requestOf(
        'POST',
        '/submit_task',
        [['Content-Type', 'multipart/form-data; boundary=b'], ...keyed('file')],
        `--b\r\n${type}\r\n--b\r\n${file('text', 'a')}\r\n--b--\r\n`,
      ),
      422,
    ),
    attack('a multipart form without a boundary', multipart([type], 'multipart/form-data'), 400),
    attack(
      'a multipart form with an empty boundary',
      multipart([type], 'multipart/form-data; boundary='),
      400,
    ),
    attack(
      'a multipart form with another boundary',
      multipart([type], 'multipart/form-data; boundary=other'),
      400,
    ),
    attack(
      'a multipart form with a boundary of 5,000 letters',
      multipart([type], `multipart/form-data; boundary=${'b'.repeat(5_000)}`),
      400,
    ),
    attack(
      'a multipart form without field names',
      multipart(['Content-Disposition: form-data\r\n\r\na']),
      400,
    ),
    attack(
      'a multipart form without its end',
      requestOf(
        'POST',
        '/submit_task',
        [['Content-Type', 'multipart/form-data; boundary=b']],
        `--b\r\n${type}`,
      ),
      400,
    ),
    attack(
      'a multipart form of 3,000 fields',
      multipart([type, ...Array.from({ length: 3_000 }, (_, n) => field(`f${n}`, ''))]),
      422,
    ),
    attack(
      '80,000 fields of one name',
      form('/submit_task', `form_type=reverse&text=a${'&a='.repeat(80_000)}`),
      303,
    ),
    attack(
      '30,000 different fields',
      form(
        '/submit_task',
        `form_type=reverse${Array.from({ length: 30_000 }, (_, n) => `&f${n}=`).join('')}`,
      ),
      422,
    ),
    attack('a duplicate field', form('/submit_task', 'form_type=divide&form_type=reverse&text=a'), 303),
    attack(
      'a duplicate field with brackets',
      form('/submit_task', 'form_type=reverse&text[]=a&text[]=b'),
      422,
    ),
    attack(
      'a form with incomplete percent escapes',
      form('/submit_task', 'form_type=reverse&text=%&%=%zz'),
      303,
    ),
    attack(
      'a form with bytes that are not UTF-8',
      form('/submit_task', 'form_type=reverse&text=%FF%C0%AF'),
      303,
    ),
    attack('a form with a NUL', form('/submit_task', 'form_type=reverse&text=%00'), 303),
    attack('a form with a NUL in its type', form('/submit_task', 'form_type=reverse%00&text=a'), 422),
    attack('an empty form', form('/submit_task', ''), 422),
    attack('a form of 100,000 ampersands', form('/submit_task', '&'.repeat(100_000)), 422),
    attack(
      'a form that divides a number beyond the range of a double, with an Idempotency-Key',
      form('/submit_task', 'form_type=divide&x=1e999&y=1', keyed('divide')),
      422,
    ),
    attack('markup in a form', form('/submit_task', 'form_type=<script>alert(1)</script>'), 422),
  ]
}

function batches(): Attack[] {
  const item = { name: 'anything', input: 1, options: { queue: 'unserved' } }
  const batch = (tasks: unknown[]) => post('/v1/tasks/batch', JSON.stringify({ tasks }))
  return [
    attack('a batch of 1001', batch(new Array(1_001).fill(item)), 422),
    attack(
      'a batch whose tasks are an object with a length',
      post('/v1/tasks/batch', '{"tasks":{"length":1000}}'),
      422,
    ),
    attack('a batch of 100,000 numbers', batch(new Array(100_000).fill(1)), 422),
    attack('a batch of every wrong type', batch([null, true, 7, 'text', [], {}]), 202),
    attack('a batch within a batch', batch([{ name: 'batch', input: { tasks: [item] } }]), 202),
    attack('a batch with one valid task', batch([null, item]), 202),
    attack(
      'a batch of 1000 tasks with several faults each',
      batch(new Array(1_000).fill({ a: 1, b: 2, options: { c: 3, tags: [1, 2, 3] } })),
      202,
    ),
    attack(
      'a batch with options next to its tasks',
      post('/v1/tasks/batch', JSON.stringify({ tasks: [item], options: {} })),
      422,
    ),
    attack(
      'a batch of a thousand queues',
      batch(
        Array.from({ length: 1_000 }, (_, n) => ({
          name: 'anything',
          input: 1,
          options: { queue: `q${n}` },
        })),
      ),
      202,
    ),
    attack(
      'an empty batch with an Idempotency-Key',
      post('/v1/tasks/batch', '{"tasks":[]}', keyed('empty')),
      422,
    ),
    attack(
      'a batch with an invalid Idempotency-Key',
      post('/v1/tasks/batch', JSON.stringify({ tasks: [item] }), [['Idempotency-Key', '"']]),
      202,
      400,
    ),
  ]
}

function replays(): Attack[] {
  const BODIES: [name: string, body: string, expected: number][] = [
    ['an id', `{"id":"${UNKNOWN_ID}"}`, 422],
    ['another name', '{"name":"divide"}', 422],
    ['an invalid queue', '{"options":{"queue":"../a"}}', 422],
    ['a delay and a time', '{"options":{"delay_seconds":1,"run_at":"2030-01-01T00:00:00Z"}}', 422],
    ['an array', '[]', 422],
    ['null', 'null', 422],
    ['a text', '"replay"', 422],
    ['an empty JSON body', '', 400],
  ]
  return [
    ...BODIES.map(([name, body, expected]) =>
      attack(`a replay with ${name}`, post('/v1/tasks/{finished}/replay', body), expected),
    ),
    attack('a replay of an unknown task', post(`/v1/tasks/${UNKNOWN_ID}/replay`, '{}'), 404),
    attack('a replay of an invalid id', post('/v1/tasks/x/replay', '{}'), 404),
  ]
}

function queries(): Attack[] {
  const BAD = [
    'limit=-1',
    'limit=1e999',
    'limit=NaN',
    'limit=0x0',
    'limit=-0',
    'limit=2.5',
    'limit=1;drop table tasks',
    'limit=9007199254740993',
    "cursor='%20or%201=1--",
    'cursor=eyJpZCI6MX0=',
    `cursor=${UNKNOWN_ID}&cursor=${UNKNOWN_ID}`,
    `cursor=${UNKNOWN_ID.slice(0, -1)}`,
    `cursor=${'a'.repeat(8_000)}`,
    "q='%20or%20''='&q=x",
    `name=${'x'.repeat(8_000)}`,
    'name=%00',
    'queue=*',
    'queue=%25',
    'queue=default%00',
    'status=*',
    'status=PENDING%00',
    `status=${'PENDING,'.repeat(500)}`,
    "status=PENDING')--",
    'worker=*',
    "worker=' or true--",
    'tag=a%00b',
    'tag=%0d%0aX-Injected:%201',
    'tag=a&tag=b',
    'id=%25',
    'id=_',
    "id='",
    'created_after=-infinity',
    'created_after=0',
    'created_before=now()',
    'created_before=2030-01-01T00:00:00Z&created_before=x',
  ]
  const UNKNOWN = ['limit[]=1', 'q=%27&unknown=1&&&=&%', 'a=1&'.repeat(2_000)]
  const FINE = [
    'cursor=00000000-0000-0000-0000-000000000000',
    'cursor={finished}',
    'name=%25',
    'name=_______',
    "name=';drop table tasks;--",
    'name=$1',
    "name='%20or%20''='&name=x",
    'name=%ED%A0%80%00',
    'name=*',
    'tag={a,b,%22c%22}',
    'tag=NULL',
    'tag=%7B%7D',
    "tag=');--",
    `status=${'PENDING,'.repeat(500)}PENDING`,
    'created_after=0000-01-01T00:00:00Z',
    'created_before=0000-01-01T00:00:00%2B23:59',
    'created_after=9999-12-31T23:59:59-23:59',
    'q=%27&&&',
  ]
  const WAITS = ['1e9', '-1', 'NaN', '51', 'Infinity', '1&wait=1', '%00', '0x33']
  const WINDOWS = ['-1', '1e999', '59.5', '60.5', '2147483648', "'"]
  return [
    ...[...BAD, ...UNKNOWN].map((search) =>
      attack(
        `GET /v1/tasks?${search.slice(0, 60)} is rejected`,
        requestOf('GET', `/v1/tasks?${uri(search)}`),
        400,
      ),
    ),
    ...FINE.map((search) =>
      attack(
        `GET /v1/tasks?${search.slice(0, 60)} is accepted`,
        requestOf('GET', `/v1/tasks?${uri(search)}`),
        200,
      ),
    ),
    ...WAITS.map((wait) => attack(`wait=${wait}`, requestOf('GET', `/v1/tasks/{waiting}?wait=${wait}`), 400)),
    ...WINDOWS.map((window) =>
      attack(`window=${window}`, requestOf('GET', `/v1/stats?window=${window}`), 400),
    ),
  ]
}

function ids(): Attack[] {
  const BAD = [
    '%2e%2e%2fhealth',
    '..%5c..%5c',
    '%00',
    '%C0%AE',
    '%ED%A0%80',
    "1'%20union%20all",
    '*',
    '%25',
    '{waiting}%00',
    '{waiting}%0A',
    '%20{waiting}',
    '{waiting};x=1',
    '{waiting}{waiting}',
    '%7B{waiting}%7D',
    'x'.repeat(8_000),
  ]
  const PLACES: ((id: string) => [method: string, path: string])[] = [
    (id) => ['GET', `/v1/tasks/${id}`],
    (id) => ['GET', `/v1/tasks/${id}?wait=5`],
    (id) => ['GET', `/v1/tasks/${id}/events`],
    (id) => ['GET', `/v1/tasks/${id}/logs?after=1`],
    (id) => ['POST', `/v1/tasks/${id}/cancel`],
    (id) => ['POST', `/v1/tasks/${id}/retry`],
    (id) => ['GET', `/task_status/${id}`],
    (id) => ['GET', `/check_task/${id}`],
    (id) => ['POST', `/v1/queues/${id}/pause`],
    (id) => ['POST', `/v1/queues/${id}/resume`],
  ]
  return [
    ...BAD.flatMap((id, index) =>
      // Put each id in three places, so that each place gets several ids.
      [0, 1, 2].map((step) => {
        const [method, path] = PLACES[(index + step * 3) % PLACES.length]?.(id) ?? ['', '']
        return attack(`${method} ${path.slice(0, 60)}`, requestOf(method, path), 404)
      }),
    ),
    attack('a queue in capitals', requestOf('POST', '/v1/queues/Default/pause'), 404),
    attack('a queue of 65 letters', requestOf('POST', `/v1/queues/${'a'.repeat(65)}/pause`), 404),
    attack('a queue with a colon', requestOf('POST', '/v1/queues/waggle:default/pause'), 404),
    attack('an id in capitals, which is valid', requestOf('GET', `/v1/tasks/${'{FINISHED}'}`), 200),
  ]
}

function staticPaths(): Attack[] {
  const PATHS = [
    '/%2e%2e/%2e%2e/%2e%2e/etc/hosts',
    '/..%2f..%2f..%2fetc/hosts',
    '/%252e%252e%252fetc/hosts',
    '/.%00./etc/hosts',
    '/..%c0%af..%c0%afetc/hosts',
    '/assets/..%5c..%5cetc%5chosts',
    '/index.html/',
    '/index.html/../../etc/hosts',
    '/index.html%00',
    '/.env',
    '/.git/config',
    '/package.json',
    '/%2fetc/hosts',
    '//localhost/etc/hosts',
    '/~root',
    '/C:%5cwindows%5cwin.ini',
    `/${'../'.repeat(1_000)}etc/hosts`,
    `/${'a/'.repeat(4_000)}`,
    `/${'%2e%2e/'.repeat(1_000)}x`,
    `/${'a'.repeat(10_000)}`,
  ]
  return [
    ...PATHS.map((path) => openAttack(`GET ${path.slice(0, 50)}`, requestOf('GET', path), 404)),
    openAttack('a backslash in a path', requestOf('GET', '/..\\..\\etc'), 400),
    openAttack('a range beyond the end of a file', requestOf('GET', '/', [['Range', 'bytes=999999-']]), 416),
    openAttack('a range that ends before it begins', requestOf('GET', '/', [['Range', 'bytes=9-2']]), 416),
    openAttack(
      'a range of absurd numbers',
      requestOf('GET', '/', [['Range', `bytes=0-${'9'.repeat(400)}`]]),
      200,
      206,
    ),
    openAttack(
      'a thousand ranges',
      requestOf('GET', '/', [['Range', `bytes=${'0-1,'.repeat(1_000)}0-1`]]),
      200,
      206,
      416,
    ),
    openAttack('a range in another unit', requestOf('GET', '/', [['Range', 'lines=1-2']]), 200, 206, 416),
  ]
}

function hostileHeaders(): Attack[] {
  const body = '{"input":1}'
  const KEYS: [name: string, value: string, expected: number][] = [
    ['empty', '', 400],
    ['of 256 letters', 'k'.repeat(256), 400],
    ['of 8,000 letters', 'k'.repeat(8_000), 400],
    ['with a space', 'a b', 400],
    ['with an open quote', '"abc', 400],
    ['with an empty text in quotes', '""', 400],
    ['with non-ASCII bytes', '\xff\xfe', 400],
    ['with a tab', 'a\tb', 400],
    ['in a list', '"a", "b"', 400],
    ['with SQL', "');--", 202],
  ]
  const TRACES: [name: string, value: string][] = [
    ['of zeros only', `00-${'0'.repeat(32)}-${'0'.repeat(16)}-00`],
    ['in capitals', `00-${'A'.repeat(32)}-${'B'.repeat(16)}-01`],
    ['of 8,000 letters', '0'.repeat(8_000)],
    ['of non-ASCII bytes', '\xff'.repeat(55)],
  ]
  return [
    ...KEYS.map(([name, value, expected]) =>
      attack(
        `an Idempotency-Key ${name}`,
        post('/v1/tasks/anything', body, [['Idempotency-Key', value]]),
        expected,
      ),
    ),
    attack('two Idempotency-Keys', post('/v1/tasks/anything', body, [...keyed('one'), ...keyed('two')]), 400),
    ...TRACES.map(([name, value]) =>
      attack(`a traceparent ${name}`, post('/v1/tasks/anything', body, [['Traceparent', value]]), 202),
    ),
    attack(
      'two traceparents',
      post('/v1/tasks/anything', body, [
        ['Traceparent', '00-1'],
        ['Traceparent', '00-2'],
      ]),
      202,
    ),
    attack(
      'an X-Request-Id of markup',
      post('/v1/tasks/anything', body, [['X-Request-Id', '<script>']]),
      202,
    ),
    attack(
      'an X-Request-Id of 8,000 letters',
      post('/v1/tasks/anything', body, [['X-Request-Id', 'x'.repeat(8_000)]]),
      202,
    ),
    attack(
      'an X-Request-Id of non-ASCII bytes',
      post('/v1/tasks/anything', body, [['X-Request-Id', '\xff\x80']]),
      202,
    ),
    attack(
      'two X-Request-Ids',
      post('/v1/tasks/anything', body, [
        ['X-Request-Id', 'a'],
        ['X-Request-Id', 'b'],
      ]),
      202,
    ),
    attack(
      'an invalid Last-Event-ID',
      requestOf('GET', '/v1/tasks/{finished}/events', [['Last-Event-ID', "';--"]]),
      200,
    ),
    attack(
      'a Last-Event-ID of 5,000 digits',
      requestOf('GET', '/v1/tasks/{finished}/events', [['Last-Event-ID', '9'.repeat(5_000)]]),
      200,
    ),
    attack(
      'a Last-Event-ID of a non-ASCII byte',
      requestOf('GET', '/v1/tasks/{finished}/events', [['Last-Event-ID', '\xff']]),
      200,
    ),
    attack(
      'an If-None-Match of 2,000 entity tags',
      requestOf('GET', '/v1/tasks/{finished}', [['If-None-Match', '"0", '.repeat(2_000)]]),
      200,
    ),
    attack(
      'an If-None-Match of 10,000 commas',
      requestOf('GET', '/v1/tasks/{finished}', [['If-None-Match', ','.repeat(10_000)]]),
      200,
    ),
    attack(
      '500 If-None-Match headers',
      requestOf('GET', '/v1/definitions', new Array(500).fill(['If-None-Match', 'W/"x"'])),
      200,
    ),
    attack(
      'an If-None-Match list with an asterisk',
      requestOf('GET', '/v1/tasks/{finished}', [['If-None-Match', 'a, *']]),
      304,
    ),
    attack(
      'an Accept of 600 types',
      requestOf('GET', '/check_task/{finished}', [['Accept', 'text/html;q=0.1,'.repeat(600)]]),
      200,
    ),
    attack(
      'two invalid Origin headers',
      requestOf('GET', '/v1/tasks', [
        ['Origin', 'null'],
        ['Origin', "');--"],
      ]),
      200,
    ),
    attack(
      'an X-Forwarded-For of 10,000 commas',
      requestOf('GET', '/v1/tasks', [['X-Forwarded-For', ','.repeat(10_000)]]),
      200,
    ),
    attack('2,500 headers', requestOf('GET', '/v1/tasks', new Array(2_500).fill(['a', ''])), 200),
    attack(
      'a header of 20,000 letters',
      requestOf('GET', '/v1/tasks', [['X-Long', 'x'.repeat(20_000)]]),
      431,
    ),
    attack(
      'a header name of 20,000 letters',
      requestOf('GET', '/v1/tasks', [['x'.repeat(20_000), '1']]),
      431,
    ),
    attack(
      'a hundred headers of 1,000 letters',
      requestOf('GET', '/v1/tasks', new Array(100).fill(['X-Flood', 'x'.repeat(1_000)])),
      431,
    ),
    attack('a query of 20,000 letters', requestOf('GET', `/v1/tasks?name=${'x'.repeat(20_000)}`), 431),
    attack('a raw NUL in a header', requestOf('GET', '/v1/tasks', [['X-A', 'a\0b']]), 400),
    attack('a raw carriage return in a header', requestOf('GET', '/v1/tasks', [['X-A', 'a\rb']]), 400),
    attack('a header without a name', requestOf('GET', '/v1/tasks', [['', 'x']]), 400),
    attack('a space in a header name', requestOf('GET', '/v1/tasks', [['X A', 'x']]), 400),
    attack('a folded header', requestOf('GET', '/v1/tasks', [['X-A', 'a\r\n b']]), 400, 200),
    attack('an unknown Expect header', post('/v1/tasks/anything', body, [['Expect', 'miracles']]), 202),
    attack(
      'an upgrade to an unsupported protocol',
      requestOf('GET', '/v1/tasks', [
        ['Connection', 'Upgrade, close'],
        ['Upgrade', 'websocket'],
      ]),
      200,
    ),
  ]
}

function framing(): Attack[] {
  const body = '{"input":1}'
  const path = '/v1/tasks/anything'
  const chunked = (chunks: string, more: RawHeaders = []) =>
    requestOf('POST', path, [...JSON_TYPE, ['Transfer-Encoding', 'chunked'], ...more], chunks)
  const LENGTHS = ['-1', '1e3', '0x10', '+11', '11, 11', 'eleven', '99999999999999999999', '11 11', '']
  return [
    ...LENGTHS.map((length) =>
      attack(
        `Content-Length: ${length}`,
        requestOf('POST', path, [...JSON_TYPE, ['Content-Length', length]], body),
        400,
        413,
      ),
    ),
    attack(
      'two equal Content-Lengths',
      requestOf('POST', path, [...JSON_TYPE, ['Content-Length', '11'], ['Content-Length', '11']], body),
      400,
    ),
    attack(
      'two different Content-Lengths',
      requestOf('POST', path, [...JSON_TYPE, ['Content-Length', '11'], ['Content-Length', '2']], body),
      400,
    ),
    attack(
      'Content-Length before Transfer-Encoding',
      requestOf(
        'POST',
        path,
        [...JSON_TYPE, ['Content-Length', '4'], ['Transfer-Encoding', 'chunked']],
        '0\r\n\r\n',
      ),
      400,
    ),
    attack('Transfer-Encoding before Content-Length', chunked('0\r\n\r\n', [['Content-Length', '4']]), 400),
    attack(
      'a Transfer-Encoding with a space after its name',
      requestOf(
        'POST',
        path,
        [...JSON_TYPE, ['Content-Length', '11'], ['Transfer-Encoding ', 'chunked']],
        body,
      ),
      400,
    ),
    attack(
      'an unknown Transfer-Encoding',
      requestOf('POST', path, [...JSON_TYPE, ['Transfer-Encoding', 'xchunked']], body),
      400,
    ),
    attack(
      'chunked twice',
      requestOf('POST', path, [...JSON_TYPE, ['Transfer-Encoding', 'chunked, chunked']], '0\r\n\r\n'),
      400,
    ),
    attack(
      'chunked before another coding',
      requestOf('POST', path, [...JSON_TYPE, ['Transfer-Encoding', 'chunked, identity']], '0\r\n\r\n'),
      400,
    ),
    attack('a chunk of negative size', chunked('-1\r\na\r\n0\r\n\r\n'), 400),
    attack('a chunk with an invalid size', chunked('xyz\r\n'), 400),
    attack('a chunk size of more than 64 bits', chunked('ffffffffffffffffff\r\n'), 400),
    attack('a chunk longer than declared', chunked(`2\r\n${body}\r\n0\r\n\r\n`), 400),
    attack(
      'a chunk with an extension of 20,000 letters',
      chunked(`b;${'x'.repeat(20_000)}\r\n${body}\r\n0\r\n\r\n`),
      413,
    ),
    attack(
      'chunks with trailers that have the names of request headers',
      chunked(`b\r\n${body}\r\n0\r\nIdempotency-Key: "\r\nAuthorization: x\r\n\r\n`),
      202,
    ),
    attack(
      'trailers of 20,000 letters',
      chunked(`b\r\n${body}\r\n0\r\nX-A: ${'x'.repeat(20_000)}\r\n\r\n`),
      202,
      431,
    ),
    attack('lines that end with a line feed only', `GET /v1/tasks HTTP/1.1\nHost: localhost\n\n`, 400),
    attack(
      'a declared body beyond the limit',
      requestOf('POST', path, [...JSON_TYPE, ['Content-Length', String(BODY_LIMIT + 1)]], body),
      413,
    ),
    attack(
      'a declared body of terabytes',
      requestOf('POST', path, [...JSON_TYPE, ['Content-Length', '999999999999999']], body),
      413,
    ),
    attack(
      'a declared body of terabytes in a GET request',
      requestOf('GET', '/v1/tasks', [['Content-Length', '999999999999999']], ''),
      200,
    ),
    attack(
      'a body beyond the limit for a cancellation',
      requestOf('POST', '/v1/tasks/{finished}/cancel', [], 'x'.repeat(BODY_LIMIT + 1)),
      413,
    ),
    attack(
      'a body beyond the limit for an unknown route',
      requestOf('PUT', '/v1/nothing', [], 'x'.repeat(BODY_LIMIT + 1)),
      413,
    ),
    attack(
      'a body beyond the limit in chunks',
      chunked(`${(BODY_LIMIT + 1).toString(16)}\r\n${' '.repeat(BODY_LIMIT + 1)}\r\n0\r\n\r\n`),
      413,
    ),
    attack(
      'a body beyond the limit of one-letter chunks',
      chunked(`${'1\r\n \r\n'.repeat(BODY_LIMIT + 1)}0\r\n\r\n`),
      413,
    ),
    attack(
      'more bytes than declared',
      `${requestOf('POST', path, [...JSON_TYPE, ['Content-Length', '11'], ['Connection', 'close']], `${body}GET /`)}`,
      202,
    ),
    attack(
      'a request in the body of another',
      requestOf('POST', path, [...JSON_TYPE], 'GET /v1/tasks HTTP/1.1\r\nHost: localhost\r\n\r\n'),
      400,
    ),
  ]
}

function targets(): Attack[] {
  return [
    openAttack('no host', 'GET /health HTTP/1.1\r\nConnection: close\r\n\r\n', 400),
    openAttack('an empty host', requestOf('GET', '/health', [['Host', '']]), 400),
    openAttack('an invalid host', requestOf('GET', '/health', [['Host', 'a b']]), 400),
    openAttack('a host with a path', requestOf('GET', '/health', [['Host', 'localhost/../..']]), 400),
    openAttack('a host with a user', requestOf('GET', '/health', [['Host', 'admin@localhost']]), 400),
    openAttack(
      'a host with a port above 65535',
      requestOf('GET', '/health', [['Host', 'localhost:99999']]),
      400,
    ),
    openAttack('a host of non-ASCII bytes', requestOf('GET', '/health', [['Host', '\xff\xfe']]), 400),
    openAttack(
      'a host of 8,000 letters',
      requestOf('GET', '/health', [['Host', 'h'.repeat(8_000)]]),
      200,
      400,
    ),
    openAttack(
      'two hosts',
      requestOf('GET', '/health', [
        ['Host', 'a'],
        ['Host', 'b'],
      ]),
      200,
      400,
    ),
    openAttack('an absolute URL with another host', requestOf('GET', 'http://example.com/health'), 200),
    attack('an absolute URL of a task', requestOf('GET', 'http://example.com/v1/tasks/{finished}'), 200),
    openAttack('an invalid absolute URL', requestOf('GET', 'http://[/health'), 400),
    openAttack('a URL with another scheme', requestOf('GET', 'file:///etc/hosts'), 400),
    openAttack('a URL with a password', requestOf('GET', 'http://a:b@localhost/health'), 200, 400),
    openAttack('no path', 'GET  HTTP/1.1\r\nHost: localhost\r\n\r\n', 400),
    openAttack('a path without a slash', requestOf('GET', 'health'), 400),
    openAttack('an asterisk', requestOf('OPTIONS', '*'), 400),
    openAttack('a fragment', requestOf('GET', '/v1/nothing#/health'), 400, 404),
    openAttack('a space in the path', requestOf('GET', '/v1/no thing'), 400),
    openAttack('raw bytes in the path', requestOf('GET', '/v1/\xff\xfe'), 400, 404),
    openAttack('a raw NUL in the path', requestOf('GET', '/v1/\0'), 400),
    openAttack('an unknown HTTP version', 'GET /health HTTP/9.9\r\nHost: localhost\r\n\r\n', 400),
    openAttack('no version', 'GET /health\r\n\r\n', 400),
    openAttack('HTTP/2 without negotiation', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400),
    openAttack('the beginning of TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400),
    openAttack('another protocol', 'EHLO localhost\r\nMAIL FROM:<a@example.com>\r\n\r\n', 400),
    openAttack('commands for Redis', '*1\r\n$8\r\nFLUSHALL\r\n\r\n', 400),
    openAttack('100 line ends before an invalid request line', '\r\n'.repeat(100).concat('x\r\n\r\n'), 400),
    openAttack(
      'a health check with a body beyond the limit',
      requestOf('POST', '/health', [], 'x'.repeat(BODY_LIMIT + 1)),
      413,
    ),
    openAttack('a health check with an unusual method', requestOf('PROPFIND', '/health'), 200),
    attack('a double slash', requestOf('GET', '//v1//tasks'), 404),
    attack('dots in the path of the API', requestOf('GET', '/v1/queues/../tasks'), 200),
    attack('encoded dots in the path of the API', requestOf('GET', '/health/%2e%2e/v1/tasks'), 200),
    attack('an encoded slash in the path of the API', requestOf('GET', '/v1%2ftasks'), 404),
    attack('a semicolon in the path of the API', requestOf('GET', '/v1/tasks;a=/health'), 404),
    attack('a path in capitals', requestOf('GET', '/V1/TASKS'), 404),
  ]
}

// Helpers that build attacks.

function attack(name: string, request: string, ...expected: number[]): Attack {
  return { name, request, expected }
}

function openAttack(name: string, request: string, ...expected: number[]): Attack {
  return { name, request, expected, isPublic: true }
}

function post(path: string, body: string | Buffer, headers: RawHeaders = []): string {
  return postRaw(path, Buffer.from(body).toString('latin1'), headers)
}

/** @param bytes the body as a latin1 string, one character per byte */
function postRaw(path: string, bytes: string, headers: RawHeaders = []): string {
  return requestOf('POST', path, [...JSON_TYPE, ['Content-Length', String(bytes.length)], ...headers]) + bytes
}

function form(path: string, body: string, headers: RawHeaders = []): string {
  return requestOf('POST', path, [...FORM_TYPE, ...headers], body)
}

function keyed(key: string): RawHeaders {
  return [['Idempotency-Key', JSON.stringify(key).replaceAll('\\', '-')]]
}

function uri(search: string): string {
  return search.replaceAll(' ', '%20')
}
