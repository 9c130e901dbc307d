//! `[reports]`.

use std::{path::Path, time::Duration};

use sitewatch_files::BucketKey;

use super::{Reader, absolute, quoted};
use crate::config::{
    settings::{REPORT_KEY, REPORT_KEY_ID, REPORT_RETENTION, REPORT_STORE},
    types::{ReportStore, Reports},
    values::ReportPlace,
};

impl Reader {
    pub(super) fn reports(&mut self, data_dir: Option<&Path>, directory: &Path) -> Option<Reports> {
        let days = self.required(&REPORT_RETENTION);
        let place = self.optional(&REPORT_STORE);
        let key = self.report_key();
        let is_bucket = matches!(place, Some(ReportPlace::Bucket(_)));
        if key.is_some() && !is_bucket && !self.is_faulty(&REPORT_STORE.setting) {
            let remedy = "remove it, or name a bucket in reports.store";
            self.fault(&REPORT_KEY_ID.setting, "is for a bucket, and reports are kept in a folder", remedy);
        }
        let store = match place {
            Some(ReportPlace::Bucket(url)) => ReportStore::Bucket(url, key),
            Some(ReportPlace::Folder(path)) => ReportStore::Folder(absolute(directory, &path)),
            None => {
                let path = data_dir?.join("reports");
                self.note(
                    &REPORT_STORE.setting,
                    Some(quoted(&path.display())),
                    "a folder in storage.data_dir",
                );
                ReportStore::Folder(path)
            }
        };
        Some(Reports { store, kept_for: Duration::from_hours(days? * 24) })
    }

    fn report_key(&mut self) -> Option<BucketKey> {
        let (id, secret) = (self.optional(&REPORT_KEY_ID), self.optional(&REPORT_KEY));
        let lonely = match (id.is_some(), secret.is_some()) {
            (true, false) => Some((&REPORT_KEY_ID, None, "reports.secret_access_key")),
            (false, true) => Some((&REPORT_KEY_ID, Some(&REPORT_KEY), "reports.access_key_id")),
            _ => None,
        };
        if let Some((of_id, of_secret, missing)) = lonely {
            let setting = of_secret.map_or(&of_id.setting, |key| &key.setting);
            self.fault(setting, format!("is given without {missing}"), "give both or neither");
        }
        id.zip(secret).map(|(id, secret)| BucketKey { id, secret })
    }
}
