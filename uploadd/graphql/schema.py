"""The schema of `/api/graphql`, in GraphQL's own language (SDL, specification of October 2021 section 3)."""

SDL = """
"ISO 8601, UTC, with microseconds and a Z."
scalar DateTime

"A whole number that may not fit into 32 bits: sizes in bytes, serials."
scalar Long

"Any JSON value."
scalar JSON

enum Ecosystem { conda pypi generic }

enum APIKeyStatus { ACTIVE EXPIRED REVOKED }

"Everything that can be asked. What may not be seen is not there: null, or left out of a list."
type Query {
  "Whose credentials these are; null for nobody."
  viewer: Viewer
  channels("At most 100." first: Int = 10, "The endCursor of the page before." after: String): ChannelConnection!
  channel(name: String!): Channel
  "The packages of every channel, by channel, ecosystem and name."
  packages(ecosystem: Ecosystem, first: Int = 10, after: String): PackageConnection!
  package(channel: String!, ecosystem: Ecosystem!, name: String!): Package
  "Exact names first, then beginnings, then parts of names, then summaries."
  search(text: String!, ecosystem: Ecosystem, first: Int = 10, after: String): PackageConnection!
  "The files that have these bytes, in every channel."
  content("64 hexadecimal digits in lower case." sha256: String!, first: Int = 10, after: String): FileConnection!
  counters: Counters!
  "The shape that the client of Quilt asks; null for nobody."
  me: Me
}

"A request holds one change; more than one is refused."
type Mutation {
  "Make an API key for the caller. Its secret is told here and never again."
  createApiKey(input: CreateApiKeyInput!): CreatedApiKey!
  "Revoke one of the caller's keys, by its number or fingerprint."
  revokeApiKey(id: ID!): APIKey!
  "Revoke the key whose secret this is; holding it is the right to end it."
  revokeApiKeySecret(secret: String!): APIKey!
  "The same as createApiKey, in the shape of Quilt: the secret begins with qk_, as its client insists."
  apiKeyCreate(input: APIKeyCreateInput!): APIKeyCreateResult!
  "Revoke a key in the shape of Quilt; send one of the two."
  apiKeyRevoke(id: ID, secret: String): APIKeyRevokeResult!
}

type PageInfo { hasNextPage: Boolean!, endCursor: String }

type Viewer {
  login: String!
  "user or service."
  kind: String!
  admin: Boolean!
  groups: [String!]!
  "Fingerprint of the key that was shown."
  key: String
  "What the key that was shown is limited to; null is no limit."
  scope: Scope
  "The caller's keys, oldest first, revoked and expired ones too."
  apiKeys(first: Int = 10, after: String): APIKeyConnection!
}

"Null is no limit."
type Scope { channels: [String!], actions: [String!] }

type Channel {
  name: String!
  private: Boolean!
  overwrite: Boolean!
  created: DateTime!
  packages(ecosystem: Ecosystem, first: Int = 10, after: String): PackageConnection!
  package(ecosystem: Ecosystem!, name: String!): Package
  "In the order in which they came."
  files(ecosystem: Ecosystem, first: Int = 10, after: String): FileConnection!
  "The history after a serial, oldest first."
  events(since: Long = 0, first: Int = 10, after: String): EventConnection!
}
type ChannelEdge { cursor: String!, node: Channel! }
type ChannelConnection { edges: [ChannelEdge!]!, nodes: [Channel!]!, pageInfo: PageInfo! }

type Package {
  channel: String!
  ecosystem: Ecosystem!
  "The one spelling under which it is kept."
  name: String!
  "The spelling of its makers."
  display: String!
  latest: String!
  summary: String!
  fileCount: Int!
  serial: Long!
  updated: DateTime!
  "Its page, relative to the server."
  url: String!
  "By their text."
  versions(first: Int = 10, after: String): VersionConnection!
  version(version: String!): Version
}
type PackageEdge { cursor: String!, node: Package! }
type PackageConnection { edges: [PackageEdge!]!, nodes: [Package!]!, pageInfo: PageInfo! }

type Version {
  version: String!
  fileCount: Int!
  size: Long!
  firstUploaded: DateTime!
  lastUploaded: DateTime!
  "Whether each of its files is."
  yanked: Boolean!
  "SHA-256 over its sorted manifest; the same as in the package's versions.json."
  topHash: String!
  files(first: Int = 10, after: String): FileConnection!
}
type VersionEdge { cursor: String!, node: Version! }
type VersionConnection { edges: [VersionEdge!]!, nodes: [Version!]!, pageInfo: PageInfo! }

type File {
  channel: String!
  ecosystem: Ecosystem!
  package: String!
  version: String!
  filename: String!
  "Relative to the channel."
  path: String!
  "Relative to the server."
  url: String!
  size: Long!
  sha256: String!
  serial: Long!
  uploaded: DateTime!
  uploadedBy: String!
  "Null, or the reason, which may be empty (PEP 592)."
  yanked: String
  warnings: [String!]!
}
type FileEdge { cursor: String!, node: File! }
type FileConnection { edges: [FileEdge!]!, nodes: [File!]!, pageInfo: PageInfo! }

type Event {
  serial: Long!
  "upload, replace, delete, yank or unyank."
  kind: String!
  path: String!
  sha256: String!
  by: String!
  at: DateTime!
  note: String!
  "What came with it, if it is still there."
  file: File
}
type EventEdge { cursor: String!, node: Event! }
type EventConnection { edges: [EventEdge!]!, nodes: [Event!]!, pageInfo: PageInfo! }

type Counters { channels: Int!, packages: Int!, files: Int!, bytes: Long!, ecosystems: [EcosystemCounters!]! }
type EcosystemCounters { ecosystem: Ecosystem!, packages: Int!, files: Int!, bytes: Long! }

type APIKey {
  id: ID!
  name: String!
  "12 hexadecimal digits by which people tell keys apart; no part of the secret."
  fingerprint: String!
  account: String!
  createdAt: DateTime!
  "Null is never."
  expires: DateTime
  "The same; never is the end of the year 9999, since Quilt's client insists on a time."
  expiresAt: DateTime!
  lastUsedAt: DateTime
  status: APIKeyStatus!
  "What the key is limited to; null is no limit."
  scope: Scope
  "The account's name: accounts have no addresses here."
  userEmail: String!
}
type APIKeyEdge { cursor: String!, node: APIKey! }
type APIKeyConnection { edges: [APIKeyEdge!]!, nodes: [APIKey!]!, pageInfo: PageInfo! }

input CreateApiKeyInput {
  name: String!
  "1 to 365; null is never, for service accounts only."
  expiresInDays: Int = 90
  channels: [String!]
  "read, write, delete, maintain; exactly those that are named."
  actions: [String!]
}
type CreatedApiKey {
  key: APIKey!
  secret: String!
  "In what it is less than was asked for."
  notes: [String!]!
}

type Me {
  name: String!
  "Those that are not revoked, at most 1000."
  apiKeys(name: String, fingerprint: String, status: APIKeyStatus): [APIKey!]!
  apiKey(id: ID!): APIKey
}
input APIKeyCreateInput { name: String!, expiresInDays: Int = 90 }
type APIKeyCreated { apiKey: APIKey!, secret: String! }
type InvalidInput { errors: [InputError!]! }
type InputError { path: String, message: String!, name: String!, context: JSON }
type Ok { _: Boolean }
union APIKeyCreateResult = APIKeyCreated | InvalidInput
union APIKeyRevokeResult = Ok | InvalidInput
"""
