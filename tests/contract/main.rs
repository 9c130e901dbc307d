//! What the adapters promise whoever calls them: the store on both databases; the rate limiter, the cache and the bus of events in this process and
//! on Redis.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "a panic is how a test reports a failure"
)]

mod answers;
mod audit;
mod audit_chain;
mod events;
mod farm;
mod limiter;
mod memberships;
mod migrations;
mod modules;
mod plain;
mod readings;
mod refresh;
mod rollups;
mod rollups_plant;
mod schedules;
mod sites;
mod tampering;
mod transactions;
mod users;
mod wall;

use std::{process::ExitCode, sync::Arc, time::Duration};

use sitewatch_persistence::{SeaStore, StoreSettings};
use sitewatch_runtime::system::{OsEntropy, SystemClock};
use sitewatch_tests::{
    cases,
    harness::Suite,
    postgres::{DatabaseCopy, SharedPostgres},
    world::Backend,
};

use answers::{
    memory_is_bounded, nodes_share_what_they_keep_within_their_installation,
    nothing_is_kept_longer_than_its_time, what_is_kept_is_given_under_its_key_alone,
    without_redis_each_node_keeps_its_own,
};
use audit::{
    a_commit_says_who_did_what, entries_lie_within_reach_or_are_not_there,
    the_log_is_read_backwards_in_slices,
};
use audit_chain::{
    an_end_that_lies_back_is_mended_and_marked, an_older_state_is_told_by_a_checkpoint,
    checkpoints_follow_each_other, entries_are_only_added, keys_are_changed_without_a_false_alarm,
    many_write_at_once, what_was_there_is_taken_over_once, whatever_is_written_is_whole,
    writing_on_covers_nothing_up,
};
use events::{what_is_told_is_heard_everywhere_once, whoever_lags_behind_is_told};
use limiter::{
    Fault, Kind, a_bucket_gives_what_is_in_it, a_flushed_redis_gives_anew,
    a_thousand_clients_get_what_is_theirs, a_thousand_clients_of_one_bucket_stay_within_its_bound,
    full_buckets_are_forgotten, what_one_bucket_refuses_is_taken_from_none,
    whoever_waits_as_long_as_he_is_told_is_admitted, without_redis_each_node_gives_its_part,
    without_redis_from_the_beginning_nothing_fails,
};
use memberships::{
    a_membership_is_one_and_takes_its_assignments_along, active_admins_are_counted,
    members_are_ordered_filtered_and_searched, members_lie_within_reach_or_are_not_there,
    organizations_of_a_user_are_told_as_far_as_they_concern,
};
use migrations::{
    a_filled_database_goes_down_and_up, down_and_up_again_is_the_same_schema,
    the_schema_is_the_one_that_is_kept, two_migrators_run_once,
};
use modules::{
    a_module_is_changed_by_its_own_organization_alone, archived_modules_are_hidden_and_their_sites_bind_them,
    conflicts_of_modules_are_named, modules_are_ordered_and_searched,
    modules_lie_within_reach_or_are_not_there,
};
use readings::{
    buckets_equal_a_plain_computation, history_is_read_in_slices, readings_lie_within_reach_or_are_not_there,
    the_first_value_wins,
};
use refresh::{honest_clients_stay_and_thieves_are_found_out, tabs_at_the_same_time_have_one_successor};
use rollups::{
    a_flipped_sum_is_named_and_mended, any_order_comes_to_the_same, batches_and_workers_side_by_side,
    days_have_the_hours_that_they_have, marks_that_are_given_back_are_worked_off,
    what_was_there_before_is_worked_off_in_parts, whoever_deletes_ends_when_all_is_gone,
};
use schedules::{
    a_tick_that_dies_leaves_its_slots_due, an_organization_has_schedules_of_its_own,
    an_outage_of_a_day_is_made_up_for_by_one_job, declaring_again_forgets_nothing,
    each_slot_has_one_job_of_two_tickers, more_are_due_than_one_transaction_takes,
    one_that_cannot_be_read_keeps_no_other,
};
use sites::{
    a_site_is_changed_by_its_own_organization_alone, archived_sites_take_their_modules_along,
    conflicts_of_sites_are_named, sites_are_paged_in_one_order, sites_are_searched_as_written,
    sites_lie_within_reach_or_are_not_there,
};
use tampering::a_thousand_tamperings_are_found;
use transactions::{a_claim_is_taken_once, a_dropped_transaction_leaves_nothing};
use users::{
    a_profile_is_changed_by_its_own_user_alone, active_superusers_are_counted,
    archived_users_are_for_superusers, users_are_ordered_and_searched,
    users_lie_within_reach_or_are_not_there,
};
use wall::{
    a_statement_without_a_filter_changes_no_row_of_others,
    a_statement_without_a_filter_meets_no_row_of_others, readers_hold_no_connection,
    who_breaks_off_leaves_his_view_to_nobody,
};

/// A database of one test's own, without a schema.
pub(crate) struct EmptyDatabase {
    pub(crate) settings: StoreSettings,
    /// For statements of the test's own.
    pub(crate) url: String,
    _folder: tempfile::TempDir,
    copy: Option<DatabaseCopy>,
}

impl EmptyDatabase {
    pub(crate) async fn new(backend: &Arc<Backend>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        match backend.as_ref() {
            Backend::Sqlite => {
                let path = folder.path().join("test.db");
                let url = format!("sqlite://{}", path.display());
                Self { settings: StoreSettings::sqlite(&path), url, _folder: folder, copy: None }
            }
            Backend::Postgres(shared) => {
                let copy = shared.copy(async |_| ()).await;
                let url = copy.url();
                let secret = sitewatch_domain::text::Secret::new(url.clone());
                Self {
                    settings: StoreSettings::postgres(secret.clone(), secret),
                    url,
                    _folder: folder,
                    copy: Some(copy),
                }
            }
        }
    }

    /// A PostgreSQL database with its schema and row level security, for a role that may read and write rows and nothing else.
    pub(crate) async fn walled(backend: &Arc<Backend>) -> Self {
        let empty = Self::new(backend).await;
        let secret = |url: &str| sitewatch_domain::text::Secret::new(url.to_owned());
        let owning = secret(&empty.url);
        let settings = |url| StoreSettings::postgres(url, owning.clone()).with_row_level_security(true);
        SeaStore::migrate_up(&settings(owning.clone())).await.expect("migrations run");
        let serving = empty.copy.as_ref().expect("PostgreSQL").url_of_an_app_role().await;
        Self { settings: settings(secret(&serving)), ..empty }
    }

    pub(crate) async fn store(&self) -> SeaStore {
        SeaStore::migrate_up(&self.settings).await.expect("migrations run");
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(OsEntropy));
        let store = SeaStore::connect(self.settings.clone(), clock, entropy, Arc::new(farm::notary())).await;
        store.expect("a store")
    }
}

fn main() -> ExitCode {
    let mut suite = Suite::new();
    suite.variant("sqlite", Backend::Sqlite);
    suite.variant("postgres", Backend::Postgres(SharedPostgres::default()));
    cases!(suite, "migrations": down_and_up_again_is_the_same_schema, a_filled_database_goes_down_and_up,
        the_schema_is_the_one_that_is_kept, two_migrators_run_once);
    cases!(suite, "transactions": a_claim_is_taken_once, a_dropped_transaction_leaves_nothing);
    cases!(suite, "sites": sites_lie_within_reach_or_are_not_there, a_site_is_changed_by_its_own_organization_alone,
        archived_sites_take_their_modules_along, sites_are_paged_in_one_order, sites_are_searched_as_written,
        conflicts_of_sites_are_named);
    cases!(suite, "modules": modules_lie_within_reach_or_are_not_there,
        archived_modules_are_hidden_and_their_sites_bind_them, conflicts_of_modules_are_named,
        modules_are_ordered_and_searched, a_module_is_changed_by_its_own_organization_alone);
    cases!(suite, "users": users_lie_within_reach_or_are_not_there, archived_users_are_for_superusers,
        users_are_ordered_and_searched, a_profile_is_changed_by_its_own_user_alone, active_superusers_are_counted);
    cases!(suite, "memberships": members_lie_within_reach_or_are_not_there,
        organizations_of_a_user_are_told_as_far_as_they_concern, members_are_ordered_filtered_and_searched,
        a_membership_is_one_and_takes_its_assignments_along, active_admins_are_counted);
    cases!(suite, "readings": the_first_value_wins, readings_lie_within_reach_or_are_not_there,
        history_is_read_in_slices, buckets_equal_a_plain_computation);
    cases!(suite, "rollups": any_order_comes_to_the_same, batches_and_workers_side_by_side,
        days_have_the_hours_that_they_have, a_flipped_sum_is_named_and_mended,
        what_was_there_before_is_worked_off_in_parts, whoever_deletes_ends_when_all_is_gone,
        marks_that_are_given_back_are_worked_off);
    cases!(suite, "schedules": each_slot_has_one_job_of_two_tickers, more_are_due_than_one_transaction_takes,
        an_outage_of_a_day_is_made_up_for_by_one_job, a_tick_that_dies_leaves_its_slots_due,
        declaring_again_forgets_nothing, an_organization_has_schedules_of_its_own,
        one_that_cannot_be_read_keeps_no_other);
    cases!(suite, "refresh": tabs_at_the_same_time_have_one_successor);
    cases!(suite, "audit": a_commit_says_who_did_what, entries_lie_within_reach_or_are_not_there,
        the_log_is_read_backwards_in_slices);
    cases!(suite, "audit_chain": whatever_is_written_is_whole, many_write_at_once, entries_are_only_added,
        what_was_there_is_taken_over_once, writing_on_covers_nothing_up, an_end_that_lies_back_is_mended_and_marked,
        keys_are_changed_without_a_false_alarm, checkpoints_follow_each_other, an_older_state_is_told_by_a_checkpoint);
    cases!(suite, "tampering": a_thousand_tamperings_are_found);
    suite.time_limit(Duration::from_mins(10));
    // SQLite has no row level security.
    suite.case_on(
        "postgres",
        "wall::a_statement_without_a_filter_meets_no_row_of_others",
        a_statement_without_a_filter_meets_no_row_of_others,
    );
    suite.case_on(
        "postgres",
        "wall::a_statement_without_a_filter_changes_no_row_of_others",
        a_statement_without_a_filter_changes_no_row_of_others,
    );
    suite.case_on("postgres", "wall::readers_hold_no_connection", readers_hold_no_connection);
    suite.case_on(
        "postgres",
        "wall::who_breaks_off_leaves_his_view_to_nobody",
        who_breaks_off_leaves_his_view_to_nobody,
    );
    // Many, with a clock of their own: on the quicker database.
    suite.case_on(
        "sqlite",
        "refresh::honest_clients_stay_and_thieves_are_found_out",
        honest_clients_stay_and_thieves_are_found_out,
    );
    limiters(&mut suite);
    answers(&mut suite);
    events(&mut suite);
    suite.run()
}

/// Cases that are run on what is kept in the process and on what is kept in Redis, on one server, in a Cluster, and behind Sentinels.
macro_rules! on_each {
    ($suite:ident, $module:ident: $($case:ident),+ $(,)?) => {
        for kind in Kind::ALL {
            $(
                let name = format!("{}::{kind}::{}", stringify!($module), stringify!($case));
                $suite.case_on("sqlite", &name, move |_| $case(kind));
            )+
        }
    };
}

/// The cases of the rate limiter, which no database has a part in.
fn limiters(suite: &mut Suite<Backend>) {
    on_each!(suite, limiter: a_bucket_gives_what_is_in_it,
        whoever_waits_as_long_as_he_is_told_is_admitted,
        what_one_bucket_refuses_is_taken_from_none,
        a_thousand_clients_get_what_is_theirs,
        a_thousand_clients_of_one_bucket_stay_within_its_bound
    );
    let own = "limiter::redis::installations_have_their_own_buckets";
    suite.case_on("sqlite", own, |_| limiter::installations_have_their_own_buckets());
    let forgotten = "limiter::redis::full_buckets_are_forgotten";
    suite.case_on("sqlite", forgotten, |_| full_buckets_are_forgotten());
    suite.case_on("sqlite", "limiter::redis::a_flushed_redis_gives_anew", |_| a_flushed_redis_gives_anew());
    for (name, fault) in Fault::ALL {
        let name = format!("limiter::redis::without_redis_each_node_gives_its_part::{name}");
        suite.case_on("sqlite", &name, move |_| without_redis_each_node_gives_its_part(fault));
    }
    suite
        .case_on("sqlite", "limiter::sentinels::a_new_master_is_found", |_| limiter::a_new_master_is_found());
    let never = "limiter::redis::without_redis_from_the_beginning_nothing_fails";
    suite.case_on("sqlite", never, |_| without_redis_from_the_beginning_nothing_fails());
}

/// The cases of the caches of answers.
fn answers(suite: &mut Suite<Backend>) {
    on_each!(suite, answers: what_is_kept_is_given_under_its_key_alone, nothing_is_kept_longer_than_its_time,
        memory_is_bounded);
    let shared = "answers::redis::nodes_share_what_they_keep_within_their_installation";
    suite.case_on("sqlite", shared, |_| nodes_share_what_they_keep_within_their_installation());
    let cluster = "answers::cluster::nodes_share_what_they_keep_in_a_cluster";
    suite.case_on("sqlite", cluster, |_| answers::nodes_share_what_they_keep_in_a_cluster());
    suite
        .case_on("sqlite", "answers::sentinels::a_new_master_is_found", |_| answers::a_new_master_is_found());
    let frozen = "answers::sentinels::a_frozen_sentinel_is_passed_over";
    suite.case_on("sqlite", frozen, |_| answers::a_frozen_sentinel_is_passed_over());
    // A Redis that takes nothing more still gives what it has.
    for (name, fault) in Fault::ALL.into_iter().filter(|(_, fault)| *fault != Fault::Full) {
        let name = format!("answers::redis::without_redis_each_node_keeps_its_own::{name}");
        suite.case_on("sqlite", &name, move |_| without_redis_each_node_keeps_its_own(fault));
    }
}

/// The cases of the buses of events.
fn events(suite: &mut Suite<Backend>) {
    on_each!(suite, events: what_is_told_is_heard_everywhere_once, whoever_lags_behind_is_told);
    // One that takes nothing more still passes messages on.
    for (name, fault) in Fault::ALL.into_iter().filter(|(_, fault)| *fault != Fault::Full) {
        let name = format!("events::redis::without_redis_each_node_hears_itself::{name}");
        suite.case_on("sqlite", &name, move |_| events::without_redis_each_node_hears_itself(fault));
    }
    let apart = "events::redis::installations_hear_themselves_alone";
    suite.case_on("sqlite", apart, |_| events::installations_hear_themselves_alone());
    suite.case_on("sqlite", "events::sentinels::a_new_master_is_found", |_| events::a_new_master_is_found());
}
