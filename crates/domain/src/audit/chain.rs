//! The chain of a log: each entry's hash covers the one before it, and the last one is sealed with a key from outside of the
//! database. Whoever has the database alone can change it, and cannot hide that he did.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::canonical::Canonical;
use crate::ids::{Id, OrgId};

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// An entry with everything that the database keeps of it, but for its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    /// Its id.
    pub id: Uuid,
    /// When it was committed, in microseconds.
    pub at: i64,
    /// The tenant.
    pub organization: Option<Uuid>,
    /// The kind of actor.
    pub actor_kind: String,
    /// The acting user.
    pub actor_id: Option<Uuid>,
    /// The key or credential that was shown.
    pub credential_id: Option<Uuid>,
    /// Whether he acted with a superuser's rights.
    pub is_superuser: bool,
    /// What was done.
    pub action: String,
    /// To which kind of resource.
    pub resource: String,
    /// To which one.
    pub resource_id: Uuid,
    /// The resource before, as JSON in any spelling.
    pub before: Option<String>,
    /// The resource after, as JSON in any spelling.
    pub after: Option<String>,
    /// The request.
    pub request_id: Option<String>,
    /// The client's address.
    pub client: Option<String>,
}

impl LogRow {
    /// The hash of this entry at its place. A change of what goes in, or of how, is a new version of the chain.
    pub fn hash(&self, previous: &Digest, seq: i64) -> Digest {
        let mut canonical = Canonical::default();
        canonical
            .field(b"sitewatch audit entry v1")
            .field(&seq.to_be_bytes())
            .field(self.id.as_bytes())
            .field(&self.at.to_be_bytes())
            .maybe(self.organization.as_ref().map(|id| id.as_bytes().as_slice()))
            .field(self.actor_kind.as_bytes())
            .maybe(self.actor_id.as_ref().map(|id| id.as_bytes().as_slice()))
            .maybe(self.credential_id.as_ref().map(|id| id.as_bytes().as_slice()))
            .field(&[u8::from(self.is_superuser)])
            .field(self.action.as_bytes())
            .field(self.resource.as_bytes())
            .field(self.resource_id.as_bytes())
            .json(self.before.as_deref())
            .json(self.after.as_deref())
            .maybe(self.request_id.as_deref().map(str::as_bytes))
            .maybe(self.client.as_deref().map(str::as_bytes));
        Sha256::new().chain_update(previous).chain_update(canonical.bytes()).finalize().into()
    }
}

/// An entry in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainLink {
    /// Its number in the chain, from 1 on.
    pub seq: i64,
    /// What is kept as its hash; 32 bytes, unless somebody wrote something else.
    pub hash: Vec<u8>,
    /// The entry.
    pub row: LogRow,
}

/// The end of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainHead {
    /// Whose log; `None` for the installation's own.
    pub chain: Option<OrgId>,
    /// The number of the last entry; 0 before the first.
    pub seq: i64,
    /// Its hash.
    pub hash: Digest,
    /// How many of the first entries are older than the chain: they were taken over as they were found.
    pub adopted: i64,
    /// The end at which a seal was first missed: what was written until then cannot be vouched for.
    pub broken_at: Option<i64>,
}

impl ChainHead {
    /// A chain without entries.
    pub fn begin(chain: Option<OrgId>) -> Self {
        let mut canonical = Canonical::default();
        canonical.field(b"sitewatch audit chain v1").field(chain_key(chain).as_bytes());
        let hash = Sha256::digest(canonical.bytes()).into();
        Self { chain, seq: 0, hash, adopted: 0, broken_at: None }
    }

    /// The chain with one more entry.
    #[must_use]
    pub fn followed_by(&self, row: &LogRow) -> Self {
        let seq = self.seq.saturating_add(1);
        Self { seq, hash: row.hash(&self.hash, seq), ..self.clone() }
    }

    /// Whether it has no entries yet but those that it took over.
    pub const fn is_beginning(&self) -> bool {
        self.seq == self.adopted && self.broken_at.is_none()
    }

    /// What is sealed.
    pub fn sealed_text(&self) -> Vec<u8> {
        let mut canonical = Canonical::default();
        canonical
            .field(b"sitewatch audit head v1")
            .field(chain_key(self.chain).as_bytes())
            .field(&self.seq.to_be_bytes())
            .field(&self.hash)
            .field(&self.adopted.to_be_bytes())
            .maybe(self.broken_at.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice));
        canonical.bytes().to_vec()
    }
}

/// The name of a chain among the heads: the organization's id; the nil id for the installation's own.
pub fn chain_key(chain: Option<OrgId>) -> Uuid {
    chain.map_or(Uuid::nil(), OrgId::uuid)
}

/// The chain of that name.
pub fn chain_of(key: Uuid) -> Option<OrgId> {
    (!key.is_nil()).then(|| Id::from_uuid(key))
}

/// A chain as the database has it at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainState {
    /// Its end, if it has one, and whether that is sealed with a key of this installation.
    pub head: Option<(ChainHead, bool)>,
    /// The highest number of an entry.
    pub last_seq: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn row(number: u128) -> LogRow {
        LogRow {
            id: Uuid::from_u128(number),
            at: 1,
            organization: None,
            actor_kind: "user".into(),
            actor_id: Some(Uuid::from_u128(7)),
            credential_id: None,
            is_superuser: false,
            action: "updated".into(),
            resource: "site".into(),
            resource_id: Uuid::from_u128(8),
            before: Some(r#"{"name":"a"}"#.into()),
            after: Some(r#"{"name":"b"}"#.into()),
            request_id: None,
            client: Some("192.0.2.1".into()),
        }
    }

    #[test]
    fn the_form_does_not_change_between_versions() {
        // A change here would break the chain of every installation. Computed with another implementation.
        let head = ChainHead::begin(None).followed_by(&row(1));
        assert_eq!(hex(&ChainHead::begin(None).hash), GENESIS);
        assert_eq!(hex(&head.hash), FIRST);
    }

    const GENESIS: &str = "143dff1b0b29b730f22f44e7125c8c07240948d78f8d48f887defa790b4920de";
    const FIRST: &str = "12c3e83961d0fe508d4b7534f515dda2a919f663d1f2f429116e11a7f830c338";

    fn hex(digest: &Digest) -> String {
        digest.map(|byte| format!("{byte:02x}")).concat()
    }

    #[test]
    fn every_field_and_place_counts() {
        let (base, previous) = (row(1), [0; 32]);
        let hash = base.hash(&previous, 1);
        let mut others = vec![base.hash(&[1; 32], 1), base.hash(&previous, 2)];
        let changes: [fn(&mut LogRow); 15] = [
            |row| row.id = Uuid::nil(),
            |row| row.at = 2,
            |row| row.organization = Some(Uuid::nil()),
            |row| row.actor_kind = "system".into(),
            |row| row.actor_id = None,
            |row| row.credential_id = Some(Uuid::nil()),
            |row| row.is_superuser = true,
            |row| row.action = "created".into(),
            |row| row.resource = "module".into(),
            |row| row.resource_id = Uuid::nil(),
            |row| row.before = None,
            |row| row.after = Some(r#"{"name":"c"}"#.into()),
            |row| row.request_id = Some(String::new()),
            |row| row.client = None,
            |row| std::mem::swap(&mut row.before, &mut row.after),
        ];
        for change in changes {
            let mut row = base.clone();
            change(&mut row);
            others.push(row.hash(&previous, 1));
        }
        assert!(others.iter().all(|other| *other != hash));
        let respelled = LogRow { before: Some("{ \"name\": \"a\" }".into()), ..base };
        assert_eq!(respelled.hash(&previous, 1), hash);
    }
}
