//! `[limits]`.

use sitewatch_domain::{limits::Thresholds, text::Secret};

use super::{Reader, masked_url, quoted};
use crate::config::{
    settings::{
        Key, LIMIT_ADDRESS_FACTOR, LIMIT_AUTH, LIMIT_EXPORT, LIMIT_INGEST, LIMIT_NODES, LIMIT_READ,
        LIMIT_REDIS_URL, LIMIT_SHARES, LIMIT_WRITE, RATE_LIMITS,
    },
    types::{Limits, Redis},
};

impl Reader {
    pub(super) fn limits(&mut self, redis: &Redis) -> Option<Limits> {
        let rate_limits = self.required(&RATE_LIMITS);
        let [auth, read, write, ingest, export] =
            [&LIMIT_AUTH, &LIMIT_READ, &LIMIT_WRITE, &LIMIT_INGEST, &LIMIT_EXPORT]
                .map(|threshold| self.required(threshold));
        let address_factor = self.required(&LIMIT_ADDRESS_FACTOR);
        let nodes = self.required(&LIMIT_NODES);
        let shares = self.optional(&LIMIT_SHARES).unwrap_or_default();
        let redis_url = self.shared_redis(&LIMIT_REDIS_URL, redis);
        Some(Limits {
            rate_limits: rate_limits?,
            thresholds: Thresholds {
                auth: auth?,
                read: read?,
                write: write?,
                ingest: ingest?,
                export: export?,
                address_factor: address_factor?,
            },
            shares,
            redis_url,
            nodes: nodes?,
        })
    }

    /// A Redis for one purpose: the one that is set for it, none if that is empty, else the common one.
    pub(super) fn shared_redis(
        &mut self,
        key: &Key<Secret<String>>,
        redis: &Redis,
    ) -> Option<Secret<String>> {
        if self.texts.contains_key(key.setting.key) {
            return self.optional(key);
        }
        let shown = redis.url.as_ref().map(|url| quoted(&masked_url(url.expose())));
        self.note(&key.setting, shown, "redis.url");
        redis.url.clone()
    }
}
