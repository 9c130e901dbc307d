//! Somebody has the database, with every right and much patience, and not the keys: nothing that he does to the audit log stays
//! unseen.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};
use sitewatch_domain::{
    access::ReadAudit,
    audit::{ChainHead, ChainLink, Checkpoints, Digest, Finding},
    ids::OrgId,
};
use sitewatch_tests::{harness::is_long_run, world::Backend};
use uuid::Uuid;

use crate::{
    farm::{A, B, Farm, id, org, site, superuser, user},
    rollups_plant::{Random, random},
};

const TIMES: usize = 1_000;

/// What a column may be changed to.
#[derive(Clone, Copy)]
enum Forged {
    Id,
    Text,
    Number,
    Not,
    Json,
    Bytes,
}

const COLUMNS: &[(&str, Forged)] = &[
    ("id", Forged::Id),
    ("at", Forged::Number),
    ("organization_id", Forged::Id),
    ("actor_kind", Forged::Text),
    ("actor_id", Forged::Id),
    ("credential_id", Forged::Id),
    ("is_superuser", Forged::Not),
    ("action", Forged::Text),
    ("resource", Forged::Text),
    ("resource_id", Forged::Id),
    ("before", Forged::Json),
    ("after", Forged::Json),
    ("request_id", Forged::Text),
    ("client", Forged::Text),
    ("seq", Forged::Number),
    ("hash", Forged::Bytes),
];

const HEAD_COLUMNS: &[(&str, Forged)] = &[
    ("chain", Forged::Id),
    ("seq", Forged::Number),
    ("hash", Forged::Bytes),
    ("adopted", Forged::Number),
    ("broken_at", Forged::Number),
    ("seal", Forged::Bytes),
];

/// A log with three chains, and whoever changes it.
struct Tamperer {
    farm: Farm,
    database: DatabaseConnection,
    random: Random,
    checkpoints: Checkpoints,
}

/// Where he does it.
struct Place {
    chain: Option<OrgId>,
    last: i64,
    seq: i64,
}

async fn fill(farm: &Farm, numbers: std::ops::Range<u128>) {
    for number in numbers {
        farm.user(&user(number, &format!("user{number}"))).await.expect("a user");
        for of in [A, B] {
            let number = number + 1_000 * of;
            farm.site(&site(number, of, &format!("S{number}"))).await.expect("a site");
        }
    }
}

impl Tamperer {
    async fn new(backend: &Arc<Backend>) -> Self {
        let farm = Farm::new(backend).await;
        let database = Database::connect(&farm.database.url).await.expect("a connection");
        fill(&farm, 100..108).await;
        let mut tamperer = Self { database, random: random(), checkpoints: Checkpoints::default(), farm };
        tamperer.execute("CREATE TABLE heads_of_yore AS SELECT * FROM audit_heads").await;
        fill(&tamperer.farm, 108..116).await;
        tamperer.disarm().await;
        for table in ["audit_events", "audit_heads"] {
            tamperer.execute(&format!("CREATE TABLE {table}_whole AS SELECT * FROM {table}")).await;
        }
        let audit = tamperer.farm.platform.audit();
        let made = audit.checkpoint(&superuser(), &tamperer.checkpoints).await.expect("a checkpoint");
        let line = made.line.expect("a line");
        audit.read_checkpoint(&mut tamperer.checkpoints, &line).expect("a good line");
        tamperer
    }

    /// Takes away whatever the schema itself has against it.
    async fn disarm(&self) {
        let statements: &[&str] = match self.backend() {
            DbBackend::Postgres => &[
                "ALTER TABLE audit_events DISABLE TRIGGER ALL",
                "ALTER TABLE audit_heads DISABLE TRIGGER ALL",
                "ALTER TABLE audit_events DROP CONSTRAINT audit_events_organization_id_fkey",
            ],
            _ => &[
                "DROP TRIGGER audit_events_only_added",
                "DROP TRIGGER audit_events_not_deleted",
                "DROP TRIGGER audit_heads_not_deleted",
                "PRAGMA synchronous = OFF",
                "PRAGMA foreign_keys = OFF",
            ],
        };
        for statement in statements {
            self.execute(statement).await;
        }
        for index in ["audit_events_seq", "audit_events_seq_installation"] {
            self.execute(&format!("DROP INDEX {index}")).await;
        }
    }

    fn backend(&self) -> DbBackend {
        self.database.get_database_backend()
    }

    async fn execute(&self, sql: &str) -> u64 {
        let done = self.database.execute_unprepared(sql).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}")).rows_affected()
    }

    async fn number(&self, sql: &str) -> i64 {
        let row = self.database.query_one_raw(Statement::from_string(self.backend(), sql)).await.expect(sql);
        row.expect(sql).try_get_by_index::<i64>(0).expect(sql)
    }

    async fn restore(&self) {
        for table in ["audit_events", "audit_heads"] {
            self.execute(&format!("DELETE FROM {table}")).await;
            self.execute(&format!("INSERT INTO {table} SELECT * FROM {table}_whole")).await;
        }
    }

    fn bytes(&self, bytes: &[u8]) -> String {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        match self.backend() {
            DbBackend::Postgres => format!("'\\x{hex}'::bytea"),
            _ => format!("x'{hex}'"),
        }
    }

    fn uuid(&self, id: Uuid) -> String {
        match self.backend() {
            DbBackend::Postgres => format!("'{id}'::uuid"),
            _ => self.bytes(id.as_bytes()),
        }
    }

    fn key(&self, chain: Option<OrgId>) -> String {
        self.uuid(chain.map_or(Uuid::nil(), OrgId::uuid))
    }

    fn of_chain(&self, chain: Option<OrgId>) -> String {
        match chain {
            Some(org) => format!("organization_id = {}", self.uuid(org.uuid())),
            None => "organization_id IS NULL".into(),
        }
    }

    fn chance(&mut self) -> Vec<u8> {
        (0..32).map(|_| self.random.below(256) as u8).collect()
    }

    /// Another value than any that stands there.
    fn forged(&mut self, column: &str, kind: Forged) -> String {
        let number = self.random.below(1_000_000);
        match kind {
            Forged::Id => self.uuid(Uuid::from_u128(u128::from(number) + (1 << 90))),
            Forged::Text => format!("'forged{number}'"),
            Forged::Number => format!("coalesce({column}, 0) + {}", number + 1),
            Forged::Not => format!("NOT {column}"),
            Forged::Json => format!("'{{\"forged\":{number}}}'"),
            Forged::Bytes => {
                let bytes = self.chance();
                self.bytes(&bytes)
            }
        }
    }

    async fn place(&mut self) -> Place {
        let chain = *self.random.one(&[None, Some(org(A)), Some(org(B))]);
        let last =
            self.number(&format!("SELECT max(seq) FROM audit_events WHERE {}", self.of_chain(chain))).await;
        let seq = 1 + self.random.below(last.cast_unsigned()) as i64;
        Place { chain, last, seq }
    }

    /// Changes the log in some way; what he did.
    async fn tamper(&mut self) -> (String, Option<OrgId>) {
        let place = self.place().await;
        let Place { chain, last, seq } = place;
        let (of_chain, key) = (self.of_chain(chain), self.key(chain));
        let what = match self.random.below(14) {
            0..3 => {
                let (column, kind) = *self.random.one(COLUMNS);
                let value = self.forged(column, kind);
                let sql =
                    format!("UPDATE audit_events SET {column} = {value} WHERE {of_chain} AND seq = {seq}");
                assert_eq!(self.execute(&sql).await, 1, "{sql}");
                format!("{column} of entry {seq} is {value}")
            }
            3 => {
                self.execute(&format!("DELETE FROM audit_events WHERE {of_chain} AND seq = {seq}")).await;
                format!("entry {seq} is gone")
            }
            4 => {
                let first = 1 + self.random.below(last.cast_unsigned() - 1) as i64;
                let columns = *self.random.one(&["seq", "hash"]);
                self.swap(&of_chain, first, first + 1, columns == "hash").await;
                format!("entries {first} and {} are swapped, with {columns}", first + 1)
            }
            5 => self.insert(&place).await,
            6 => {
                self.execute(&format!("DELETE FROM audit_events WHERE {of_chain} AND seq >= {seq}")).await;
                format!("the log is cut at {seq}")
            }
            7 => {
                let old = format!("FROM heads_of_yore WHERE chain = {key}");
                self.execute(&format!(
                    "DELETE FROM audit_events WHERE {of_chain} AND seq > (SELECT seq {old})"
                ))
                .await;
                self.execute(&format!("DELETE FROM audit_heads WHERE chain = {key}")).await;
                self.execute(&format!("INSERT INTO audit_heads SELECT * {old}")).await;
                "the log is cut, with an end of yore".into()
            }
            8 => {
                let cut = format!("DELETE FROM audit_events WHERE {of_chain} AND seq >= {seq}");
                self.execute(&cut).await;
                let left = format!("SELECT max(seq) FROM audit_events WHERE {of_chain}");
                let hash = format!("SELECT hash FROM audit_events WHERE {of_chain} AND seq = ({left})");
                let sql = format!(
                    "UPDATE audit_heads SET seq = coalesce(({left}), 0), hash = coalesce(({hash}), hash) WHERE chain = {key}"
                );
                self.execute(&sql).await;
                format!("the log is cut at {seq}, and so is its end")
            }
            9 | 10 => self.hash_again(&place).await,
            11 => {
                let (column, kind) = *self.random.one(HEAD_COLUMNS);
                let value = self.forged(column, kind);
                self.execute(&format!("UPDATE audit_heads SET {column} = {value} WHERE chain = {key}")).await;
                format!("{column} of the end is {value}")
            }
            12 => {
                self.execute(&format!("DELETE FROM audit_heads WHERE chain = {key}")).await;
                if self.random.below(2) == 0 {
                    return ("the end is gone".into(), chain);
                }
                self.execute(&format!("DELETE FROM audit_events WHERE {of_chain}")).await;
                "the log is gone".into()
            }
            _ => {
                let (table, seal) =
                    *self.random.one(&[("heads_of_yore", "old"), ("audit_heads_whole", "foreign")]);
                let other = if seal == "old" {
                    key.clone()
                } else {
                    self.key(Some(id(if chain == Some(org(A)) { B } else { A })))
                };
                let value = self.forged("after", Forged::Json);
                self.execute(&format!(
                    "UPDATE audit_events SET after = {value} WHERE {of_chain} AND seq = {seq}"
                ))
                .await;
                self.execute(&format!(
                    "UPDATE audit_heads SET seal = (SELECT seal FROM {table} WHERE chain = {other}) WHERE chain = {key}"
                ))
                .await;
                format!("entry {seq} is changed, and the {seal} seal put on the end")
            }
        };
        (what, chain)
    }

    async fn swap(&self, of_chain: &str, one: i64, other: i64, with_hash: bool) {
        for (from, to) in [(one, -1), (other, one), (-1, other)] {
            self.execute(&format!("UPDATE audit_events SET seq = {to} WHERE {of_chain} AND seq = {from}"))
                .await;
        }
        if with_hash {
            return;
        }
        // Their hashes stay where they were.
        let hash = |seq| format!("(SELECT hash FROM audit_events_whole WHERE {of_chain} AND seq = {seq})");
        for seq in [one, other] {
            let sql =
                format!("UPDATE audit_events SET hash = {} WHERE {of_chain} AND seq = {seq}", hash(seq));
            self.execute(&sql).await;
        }
    }

    async fn insert(&mut self, place: &Place) -> String {
        let Place { chain, last, seq } = *place;
        let of_chain = self.of_chain(chain);
        let (what, at) = match self.random.below(4) {
            0 => ("outside of the chain".to_owned(), "NULL".to_owned()),
            1 => (format!("after the end {last}"), (last + 1).to_string()),
            2 => (format!("beside {seq}"), seq.to_string()),
            _ => {
                let shift =
                    format!("UPDATE audit_events SET seq = seq + 1 WHERE {of_chain} AND seq >= {seq}");
                self.execute(&shift).await;
                (format!("before {seq}"), seq.to_string())
            }
        };
        let id = self.forged("id", Forged::Id);
        let columns = "at, organization_id, actor_kind, actor_id, credential_id, is_superuser, action, resource, resource_id, before, after, request_id, client";
        self.execute(&format!(
            "INSERT INTO audit_events (id, {columns}, seq, hash) SELECT {id}, {columns}, {at}, hash FROM audit_events_whole \
             WHERE {of_chain} AND seq = {seq}"
        ))
        .await;
        format!("an entry is added {what}")
    }

    /// Changes an entry and makes every hash after it good again, which takes no key.
    async fn hash_again(&mut self, place: &Place) -> String {
        let Place { chain, seq, .. } = *place;
        let of_chain = self.of_chain(chain);
        let value = self.forged("client", Forged::Text);
        self.execute(&format!("UPDATE audit_events SET client = {value} WHERE {of_chain} AND seq = {seq}"))
            .await;
        let links = self.links(chain).await;
        let mut head = ChainHead::begin(chain);
        for link in links {
            head = head.followed_by(&link.row);
            if link.seq >= seq {
                let hash = self.bytes(&head.hash);
                let sql =
                    format!("UPDATE audit_events SET hash = {hash} WHERE {of_chain} AND seq = {}", link.seq);
                self.execute(&sql).await;
            }
        }
        let hash = self.bytes(&head.hash);
        let key = self.key(chain);
        let seal = self.chance();
        let seal = match self.random.below(3) {
            0 => format!(", seal = {}", self.bytes(&seal)),
            1 => format!(", seal = {}", self.bytes(&[])),
            _ => String::new(),
        };
        self.execute(&format!("UPDATE audit_heads SET hash = {hash}{seal} WHERE chain = {key}")).await;
        format!("entry {seq} is changed and everything hashed again{seal}")
    }

    async fn links(&self, chain: Option<OrgId>) -> Vec<ChainLink> {
        let by = superuser();
        let grant = by.grant_platform::<ReadAudit>().expect("a superuser");
        let reader = self.farm.store.read(&by).await.expect("a reader");
        reader.list_chain_links(&grant, chain, None, i64::MAX, 10_000).await.expect("links")
    }

    async fn findings(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        let (audit, by) = (self.farm.platform.audit(), superuser());
        let verified =
            audit.verify(&by, None, &self.checkpoints, |finding| found.push(finding.clone())).await;
        assert_eq!(verified.expect("verified").faults, found.len() as u64);
        found
    }
}

pub async fn a_thousand_tamperings_are_found(backend: Arc<Backend>) {
    let mut tamperer = Tamperer::new(&backend).await;
    assert_eq!(tamperer.findings().await, [], "nothing was done yet");
    assert!(tamperer.links(None).await.iter().all(|link| Digest::try_from(link.hash.as_slice()).is_ok()));
    let times = if is_long_run() { TIMES * 10 } else { TIMES };
    for time in 0..times {
        let (what, chain) = tamperer.tamper().await;
        let found = tamperer.findings().await;
        assert!(found.iter().any(|finding| finding.chain == chain), "{time}: {what}: {found:?}");
        tamperer.restore().await;
    }
    assert_eq!(tamperer.findings().await, [], "everything is as it was");
}
