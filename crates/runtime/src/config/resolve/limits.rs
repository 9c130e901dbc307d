//! `[limits]`.

use sitewatch_domain::limits::Thresholds;

use super::{Reader, masked_url, quoted};
use crate::config::{
    settings::{
        LIMIT_ADDRESS_FACTOR, LIMIT_AUTH, LIMIT_EXPORT, LIMIT_INGEST, LIMIT_NODES, LIMIT_READ,
        LIMIT_REDIS_URL, LIMIT_WRITE, RATE_LIMITS,
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
        let is_given = self.texts.contains_key(LIMIT_REDIS_URL.setting.key);
        let redis_url = self.optional(&LIMIT_REDIS_URL);
        let common = redis.url.as_ref().filter(|_| !is_given);
        if !is_given {
            let shown = common.map(|url| quoted(&masked_url(url.expose())));
            self.note(&LIMIT_REDIS_URL.setting, shown, "redis.url");
        }
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
            redis_url: redis_url.or_else(|| common.cloned()),
            nodes: nodes?,
        })
    }
}
