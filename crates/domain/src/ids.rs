//! Typed identifiers: a uuid v7 that remembers what it names.

use std::{cmp::Ordering, fmt, hash, marker::PhantomData, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::time::Instant;

/// The identifier of a `T`.
///
/// Shape: a uuid v7, so that ids sort by the moment they were made and stay close together in an index.
/// On the wire and in JSON it is the bare uuid.
pub struct Id<T>(Uuid, PhantomData<fn() -> T>);

/// Names a user.
pub type UserId = Id<crate::users::User>;
/// Names an organization.
pub type OrgId = Id<crate::organizations::Organization>;
/// Names a session (one sign-in with its refresh tokens).
pub type SessionId = Id<crate::sessions::Session>;
/// Names an assignment of a user to a site or a module.
pub type AssignmentId = Id<crate::assignments::Assignment>;
/// Names a site.
pub type SiteId = Id<crate::sites::Site>;
/// Names a module type.
pub type ModuleTypeId = Id<crate::module_types::ModuleType>;
/// Names a metric.
pub type MetricId = Id<crate::metrics::Metric>;
/// Names a module.
pub type ModuleId = Id<crate::modules::Module>;
/// Names an invitation.
pub type InvitationId = Id<crate::invitations::Invitation>;
/// Names a job.
pub type JobId = Id<crate::jobs::JobRecord>;
/// Names a mail.
pub type DeliveryId = Id<crate::mail::Delivery>;
/// Names a rejected reading.
pub type RejectId = Id<crate::readings::RejectedReading>;
/// Names a report.
pub type ReportId = Id<crate::reports::Report>;
/// Names a run of a report.
pub type ReportRunId = Id<crate::reports::ReportRun>;
/// Names an API key.
pub type ApiKeyId = Id<crate::api_keys::ApiKey>;
/// Names a device credential.
pub type DeviceCredentialId = Id<crate::device_credentials::DeviceCredential>;
/// Names an entry of the audit log.
pub type AuditEventId = Id<crate::audit::AuditEvent>;

impl<T> Id<T> {
    /// Wraps a uuid that was read from a trusted place, a database row or a verified token.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    /// The bare uuid.
    pub const fn uuid(self) -> Uuid {
        self.0
    }

    /// Makes a new id from the current time and ten random bytes (RFC 9562, section 5.7).
    ///
    /// Both are parameters, so that a seeded clock and entropy give the same ids in every run.
    pub fn mint(now: Instant, random: [u8; 10]) -> Self {
        let millis = u64::try_from(now.as_micros().div_euclid(1_000)).unwrap_or(0);
        Self::from_uuid(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Id<T> {}
impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<T> Eq for Id<T> {}
impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}
impl<T> hash::Hash for Id<T> {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
impl<T> fmt::Display for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
impl<T> FromStr for Id<T> {
    type Err = NotAnId;

    /// Accepts the hyphenated form only, in either case: one id has one spelling in a URL.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != uuid::fmt::Hyphenated::LENGTH {
            return Err(NotAnId);
        }
        text.parse().map(Self::from_uuid).map_err(|_| NotAnId)
    }
}

/// A text that is not a hyphenated uuid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a uuid")]
pub struct NotAnId;

impl<T> Serialize for Id<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}
impl<'de, T> Deserialize<'de> for Id<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Uuid::deserialize(deserializer).map(Self::from_uuid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_the_moment_they_were_made() {
        let earlier = SiteId::mint(Instant::from_micros(1_000_000), [0xff; 10]);
        let later = SiteId::mint(Instant::from_micros(2_000_000), [0; 10]);
        assert!(earlier < later);
        assert_eq!(earlier.uuid().get_version_num(), 7);
    }

    #[test]
    fn only_the_hyphenated_spelling_is_an_id() {
        let id = SiteId::mint(Instant::from_micros(1_000_000), [7; 10]);
        assert_eq!(id.to_string().parse::<SiteId>().expect("own spelling"), id);
        for odd in
            [id.uuid().simple().to_string(), format!("{{{id}}}"), format!("urn:uuid:{id}"), String::new()]
        {
            assert!(odd.parse::<SiteId>().is_err(), "{odd}");
        }
    }
}
