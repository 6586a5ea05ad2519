// What is kept about access, in tables of their own in control.db. Lists and grants are JSON in one column: they are read
// and written as a whole.

import type { DatabaseSync } from 'node:sqlite'

export const USERS_MAX = 10_000
export const TEAMS_MAX = 1000
export const ROLES_MAX = 1000
export const TOKENS_PER_USER_MAX = 100
export const GRANTS_MAX = 200

export function makeTables (database: DatabaseSync): void {
  database.exec(`
    create table if not exists access_users (
      user text primary key, title text not null, email text not null, password text, subject text unique,
      roles text not null, provider_roles text not null, teams text not null, grants text not null, quota text not null,
      disabled integer not null, created integer not null, last_login integer
    ) strict;
    create table if not exists access_teams (team text primary key, title text not null, roles text not null, grants text not null) strict;
    create table if not exists access_roles (role text primary key, title text not null, scopes text not null, grants text not null, plugins text) strict;
    create table if not exists access_tokens (
      id text primary key, hash text not null unique, user text not null, title text not null, scopes text not null, grants text,
      quota text not null, expires integer not null, created integer not null, last_used integer
    ) strict;
    create index if not exists access_tokens_user on access_tokens (user);
    create table if not exists access_sessions (hash text primary key, user text not null, created integer not null, seen integer not null) strict;
    create index if not exists access_sessions_user on access_sessions (user);
    create table if not exists access_failures (user text not null, address text not null, failures integer not null, at integer not null, until integer not null, primary key (user, address)) strict;
    create table if not exists access_rows (day text not null, principal text not null, rows integer not null, primary key (day, principal)) strict;
    create table if not exists audit (
      seq integer primary key, at text not null, user text, token text, address text, action text not null, target text not null,
      outcome text not null, detail text not null, hash text not null
    ) strict;
    create table if not exists audit_archived (seq integer not null, hash text not null) strict;
    create trigger if not exists audit_is_not_changed before update on audit begin select raise(abort, 'the audit log is not changed'); end;
    create trigger if not exists audit_is_not_shortened before delete on audit
      when old.seq > (select coalesce(max(seq), 0) from audit_archived) begin select raise(abort, 'the audit log is not shortened'); end;
  `)
}
