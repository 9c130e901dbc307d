//! The API as a client sees it, over HTTP, on both databases.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a panic is how a test reports a failure"
)]

mod access_coverage;
mod audit;
mod bulk;
mod cache;
mod client_address;
mod clocked;
mod commands;
mod contract;
mod crowds;
mod demo;
mod documents;
mod edges;
mod embedded;
mod equal_work;
mod flood;
mod forged_tokens;
mod gateways;
mod idempotency;
mod import;
mod import_users;
mod ingest;
mod invitations;
mod jobs;
mod jobs_told;
mod keys;
mod lifetimes;
mod limits;
mod meanwhile;
mod meetings;
mod names;
mod own_sessions;
mod passwords;
mod pasted;
mod races;
mod rate_limits;
mod reference;
mod rejects;
mod report_files;
mod report_limits;
mod reports;
mod resets;
mod resources;
mod rollups;
mod schedules;
mod sessions;
mod statements;
mod throttling;
mod transport;
mod uniform;
mod versions;

use std::process::ExitCode;

use sitewatch_tests::{cases, harness::Suite, postgres::SharedPostgres, world::Backend};

fn main() -> ExitCode {
    let mut suite = Suite::new();
    suite.variant("sqlite", Backend::Sqlite);
    suite.variant("postgres", Backend::Postgres(SharedPostgres::default()));
    cases!(suite, "sessions": login_and_me, a_superusers_sign_in_is_marked, refresh_rotates_and_reuse_ends_the_session, logout_ends_the_session_at_once,
        a_deactivated_user_is_out_with_the_next_call, the_token_endpoint_speaks_oauth2, setup_works_once);
    cases!(suite, "keys": a_key_is_shown_once_and_opens_what_its_scopes_name,
        scopes_are_known_and_never_wider_than_their_owner, a_key_loses_what_its_owner_loses,
        an_organizations_key_acts_as_its_admin, all_admins_are_told_of_an_organizations_key, no_key_makes_a_superuser, no_key_changes_an_address, a_device_sends_for_itself,
        a_sites_credential_is_for_the_modules_there, a_revoked_key_ends_what_it_has_begun, everybody_is_told_what_he_may_do);
    cases!(suite, "own_sessions": a_user_sees_and_ends_his_sessions, signing_out_everywhere_ends_all_and_their_refresh_tokens,
        a_superuser_ends_the_sessions_of_others, another_client_is_no_other_tab, a_sign_in_from_a_new_address_is_told, too_many_tabs_wait_and_stay_signed_in);
    cases!(suite, "lifetimes": a_session_that_is_not_used_ends_after_thirty_days, a_session_that_is_used_ends_after_ninety_days,
        an_access_token_ends_with_its_session);
    cases!(suite, "passwords": a_password_is_changed_by_who_knows_it, a_password_is_changed_once, guesses_at_the_old_password_are_slowed_down,
        passwords_are_long_and_hard_to_guess, a_token_that_nobody_was_sent_opens_nothing);
    cases!(suite, "meanwhile": a_body_that_trickles_keeps_no_rights, a_replaced_password_lets_nobody_in_any_more, tokens_of_ended_sessions_are_limited);
    cases!(suite, "resets": a_reset_keeps_the_places_where_its_user_signs_in, a_reset_tells_which_keys_are_left, a_superusers_reset_is_marked);
    cases!(suite, "crowds": a_body_on_its_way_holds_no_place);
    cases!(suite, "contract": every_failure_has_the_one_body, lists_are_paged_sorted_and_searched,
        conditional_requests, all_faults_come_at_once, the_document_and_the_route_table_agree,
        health_and_discovery, malformed_bodies);
    cases!(suite, "uniform": resources_have_plural_names_and_actions_stand_below_them,
        lists_begin_with_twenty_and_their_links_lead_to_every_row_once,
        what_clients_say_of_the_columns_of_a_change_is_not_stored);
    cases!(suite, "resources": a_site_lives_dies_and_returns, archiving_a_site_hides_its_modules_and_stops_their_ingest,
        the_last_admin_and_the_last_superuser_stay, operators_annotate_and_nothing_more, includes_embed,
        the_catalogue_is_shared_and_owned, modules_move_and_report, the_audit_log_tells_who_did_what,
        names_are_unique_among_the_active, members_and_assignments);
    cases!(suite, "ingest": good_rows_are_kept_and_bad_ones_named, a_batch_of_nothing_but_bad_rows_tells_how_many, the_same_batch_twice_changes_nothing,
        batches_that_are_refused_as_a_whole, history_is_read_back_in_slices, queries_answer_in_calendar_terms,
        another_tenants_module_is_unknown, batches_side_by_side_open_new_months);
    cases!(suite, "invitations": a_stranger_joins_with_the_token_of_his_mail, an_account_that_there_is_joins_as_it_is, what_is_past_sent_again_or_taken_back_is_dead,
        two_who_bring_the_same_token_make_one_account, what_cannot_be_invited_to_is_told);
    cases!(suite, "rejects": rejected_rows_are_kept_with_their_reason, no_more_than_a_thousand_are_kept);
    cases!(suite, "rollups": rollups_are_listed_as_they_are_kept, mistakes_of_a_question_about_rollups_are_told,
        rollups_are_for_those_who_see_the_readings, readings_are_deleted_by_a_job, batches_have_their_figures_made,
        another_calendar_has_other_days, operators_verify_and_rebuild);
    cases!(suite, "import": a_file_is_imported_and_imported_again, a_file_of_bad_rows_is_told_row_by_row,
        an_import_finds_the_server_of_the_settings, mistakes_of_an_import_are_told);
    cases!(suite, "edges": users_of_another_organization_are_not_told,
        members_cannot_search_addresses_that_they_do_not_see, members_are_sorted_by_the_first_key_first,
        keys_that_no_metric_can_have_are_refused, no_value_spoils_the_figures_of_its_series,
        many_months_are_counted_like_few, a_write_is_told_whatever_the_client_has,
        a_search_finds_letters_beyond_ascii, a_strangers_body_is_not_looked_at,
        the_documentation_knows_its_methods, links_never_name_a_host, names_in_any_script_are_names, a_body_agrees_with_its_path, zones_are_spelled_as_their_database_does,
        a_rule_over_two_fields_names_one, what_announces_too_much_is_refused_before_anything_else,
        the_last_moments_of_the_year_9999_are_asked_for, the_bare_address_leads_to_the_documentation);
    cases!(suite, "jobs": a_job_is_done_and_tells_so, a_dead_job_is_run_again,
        a_worker_that_lost_its_lease_writes_nothing, an_effect_and_its_settlement_are_one,
        a_stopped_worker_gives_its_jobs_back, a_stop_at_any_moment_leaves_no_job_behind, leases_run_out, jobs_are_listed_by_those_who_caused_them);
    cases!(suite, "jobs_told": errors_tell_nothing_of_the_inside, jobs_are_sorted_and_found_by_their_times,
        jobs_of_a_newer_versions_lanes_are_listed, a_member_sees_what_he_caused_and_no_more, who_ran_it_again_or_took_it_back_is_told);
    cases!(suite, "schedules": two_workers_do_what_is_due_once);
    cases!(suite, "report_files": a_month_of_the_sample_equals_a_plain_computation);
    cases!(suite, "reports": who_has_left_asks_for_nothing_more, a_members_report_holds_what_is_assigned_to_him, a_superusers_report_stays_within_its_organization, three_recipients_get_the_file_by_mail, who_lost_access_before_the_mail_went_gets_none, those_are_told_who_may_fetch_it, hostile_names_are_harmless,
        a_schedule_follows_its_report, a_schedule_keeps_the_calendar_of_its_place, a_run_is_about_a_day_a_week_or_a_month,
        what_waits_is_not_asked_for_twice_and_is_bounded);
    cases!(suite, "bulk": a_thousand_are_made_at_once, all_are_made_or_none_unless_it_is_asked_for,
        modules_stand_where_their_maker_may_make_them, what_is_no_table_is_told, a_table_is_sent_again_under_its_key);
    cases!(suite, "idempotency": what_is_sent_again_has_one_effect_and_one_answer, twins_at_the_same_moment_have_one_effect,
        a_key_is_of_one_request_of_one_caller, whoever_may_not_claims_nothing_and_is_told_nothing, a_final_refusal_is_given_again,
        a_key_is_forgotten_after_a_day, a_secret_is_shown_again_and_kept_sealed);
    cases!(suite, "demo": daily_averages_equal_a_plain_computation);
    cases!(suite, "audit": what_goes_with_its_parent_is_told, assignments_end_with_their_membership,
        failed_sign_ins_are_told_and_bounded, denials_are_told_and_bounded);
    cases!(suite, "client_address": nobody_is_believed_by_default, a_trusted_proxy_tells_who_asks);
    cases!(suite, "throttling": failures_delay_the_next_guess_and_keep_nobody_out, a_place_is_known_for_a_while, nobodys_address_is_limited_like_an_account,
        guesses_at_the_same_moment_count_each, an_address_has_a_rate_of_its_own, letters_to_an_address_are_few,
        forged_refresh_tokens_are_limited_and_ask_nothing);
    cases!(suite, "equal_work": each_failed_sign_in_checks_one_hash, who_forgot_his_password_costs_what_a_stranger_costs,
        inviting_costs_the_same_whoever_has_an_account, a_dead_token_is_told_like_one_that_never_was);
    cases!(suite, "forged_tokens": no_forged_token_is_accepted);
    cases!(suite, "import_users": imported_users_sign_in_with_their_old_passwords,
        an_import_judges_every_line_and_changes_nobody, files_that_are_no_lists_of_users_are_told);
    cases!(suite, "meetings": an_archived_site_has_no_active_modules, an_archived_organization_has_no_active_sites,
        what_is_in_use_is_not_archived, nothing_is_restored_without_what_it_refers_to,
        who_leaves_takes_no_assignment_along, an_admin_and_a_superuser_stay, only_a_precondition_fails_as_one,
        a_setup_token_makes_one_superuser, a_guess_at_the_setup_token_is_told, a_database_adopts_one_secret);
    cases!(suite, "access": every_operation_for_every_principal, every_operation_for_every_key, heads_answer_as_gets, archived_rows_are_for_admins,
        filters_by_foreign_ids_find_nothing, foreign_ids_in_bodies_are_unknown);
    cases!(suite, "commands": the_demonstration_loads_into_a_running_server, the_demonstration_starts_a_server_of_its_own,
        the_first_superuser_is_made_with_the_printed_token);
    cases!(suite, "pasted": the_commands_of_the_documents_work);
    cases!(suite, "names": modules_are_found_by_external_id_and_never_guessed);
    cases!(suite, "gateways": gateways_stand_at_their_site_and_in_no_circle,
        a_gateway_stays_while_modules_report_through_it, changes_of_gateways_at_once_close_no_circle);
    cases!(suite, "limits": sites_in_different_zones_need_a_zone, an_answer_has_at_most_a_hundred_series,
        an_answer_has_at_most_a_hundred_thousand_readings);
    cases!(suite, "cache": what_was_made_is_given_again_until_it_changes, nobody_is_given_what_was_made_for_others,
        what_readings_change_is_made_each_time, lists_of_modules_know_how_long_they_are, of_many_who_ask_at_once_one_has_it_made);
    suite.case_on(
        "postgres",
        "crowds::a_crowd_before_lists_costs_no_readings",
        a_crowd_before_lists_costs_no_readings,
    );
    suite.case_on("postgres", "cache::two_nodes_share_what_they_made", two_nodes_share_what_they_made);
    let apart = "cache::installations_share_a_redis_and_no_answers";
    suite.case_on("sqlite", apart, installations_share_a_redis_and_no_answers);
    cases!(suite, "reference": the_examples_are_accepted);
    cases!(suite, "races": an_admin_is_left_when_two_remove_each_other, an_admin_is_left_when_accounts_are_archived, a_superuser_is_left_when_two_remove_each_other,
        one_refresh_token_has_one_successor);
    cases!(suite, "rate_limits": one_user_meets_his_own_limit_from_everywhere, all_of_an_address_meet_its_limit,
        strangers_are_counted_by_their_address, a_key_is_counted_for_itself, every_operation_has_a_class);
    // What no database has a part in.
    suite.case_on(
        "sqlite",
        "embedded::another_application_serves_the_api_beside_its_own",
        another_application_serves_the_api_beside_its_own,
    );
    suite.case_on(
        "sqlite",
        "documents::the_programs_understand_what_documents_say",
        the_programs_understand_what_documents_say,
    );
    suite.case_on(
        "postgres",
        "rate_limits::organizations_have_their_shares",
        organizations_have_their_shares,
    );
    suite.case_on("sqlite", "rate_limits::without_redis_the_api_answers", without_redis_the_api_answers);
    suite.case_on(
        "sqlite",
        "versions::a_version_is_named_by_the_path_or_a_header",
        a_version_is_named_by_the_path_or_a_header,
    );
    suite.case_on("sqlite", "versions::what_is_deprecated_says_so", what_is_deprecated_says_so);
    suite.case_on(
        "sqlite",
        "versions::writes_without_a_version_are_those_of_the_first",
        writes_without_a_version_are_those_of_the_first,
    );
    suite.case_on("sqlite", "transport::every_answer_is_shielded", every_answer_is_shielded);
    suite.case_on(
        "sqlite",
        "transport::plain_requests_are_refused_where_https_is_required",
        plain_requests_are_refused_where_https_is_required,
    );
    suite.case_on(
        "sqlite",
        "transport::only_a_trusted_proxy_says_that_it_was_https",
        only_a_trusted_proxy_says_that_it_was_https,
    );
    suite.case_on("sqlite", "transport::pages_that_are_named_may_ask", pages_that_are_named_may_ask);
    suite.case_on("sqlite", "transport::requests_have_their_limits", requests_have_their_limits);
    suite.case_on("sqlite", "transport::limits_are_settings", limits_are_settings);
    suite.case_on(
        "sqlite",
        "transport::errors_come_in_the_form_that_is_asked_for",
        errors_come_in_the_form_that_is_asked_for,
    );
    suite.case_on(
        "sqlite",
        "reference::every_operation_names_what_it_takes_and_answers",
        every_operation_names_what_it_takes_and_answers,
    );
    suite.case_on(
        "sqlite",
        "reference::the_older_document_tells_the_same",
        the_older_document_tells_the_same,
    );
    suite.case_on("sqlite", "reference::every_type_of_error_has_its_page", every_type_of_error_has_its_page);
    let all = "pasted::all_documents_with_commands_are_pasted";
    suite.case_on("sqlite", all, all_documents_with_commands_are_pasted);
    suite.case_on("sqlite", "commands::completions_name_the_verbs", completions_name_the_verbs);
    suite.case_on(
        "sqlite",
        "flood::a_flood_of_sign_ins_is_turned_away_and_holds_nobody_up",
        a_flood_of_sign_ins_is_turned_away_and_holds_nobody_up,
    );
    suite.case_on(
        "postgres",
        "equal_work::each_failed_sign_in_asks_the_same_of_the_database",
        each_failed_sign_in_asks_the_same_of_the_database,
    );
    suite.case_on(
        "sqlite",
        "report_limits::an_organization_waits_for_so_many",
        an_organization_waits_for_so_many,
    );
    suite.case_on(
        "sqlite",
        "report_limits::one_about_too_much_says_what_to_choose",
        one_about_too_much_says_what_to_choose,
    );
    suite.case_on(
        "sqlite",
        "own_sessions::a_node_with_a_wrong_clock_forgets_nothing",
        a_node_with_a_wrong_clock_forgets_nothing,
    );
    suite.case_on(
        "postgres",
        "own_sessions::a_refresh_waits_for_another_one",
        a_refresh_waits_for_another_one,
    );
    suite.case_on(
        "postgres",
        "flood::two_hundred_sign_ins_a_second_hold_nobody_up",
        two_hundred_sign_ins_a_second_hold_nobody_up,
    );
    suite.case_on(
        "postgres",
        "access::every_operation_for_every_principal_behind_the_wall",
        every_operation_for_every_principal_behind_the_wall,
    );
    suite.case_on(
        "postgres",
        "idempotency::a_twin_under_way_is_not_waited_for_long",
        a_twin_under_way_is_not_waited_for_long,
    );
    suite.case_on(
        "postgres",
        "statements::lists_with_everything_take_few_statements",
        lists_with_everything_take_few_statements,
    );
    suite.case_on("postgres", "statements::keys_are_known_by_one_statement", keys_are_known_by_one_statement);
    suite.case_on(
        "postgres",
        "statements::many_objects_take_few_statements",
        many_objects_take_few_statements,
    );
    suite.case_on("postgres", "statements::telemetry_takes_few_statements", telemetry_takes_few_statements);
    suite.run()
}

use access_coverage::{
    archived_rows_are_for_admins, every_operation_for_every_key, every_operation_for_every_principal,
    every_operation_for_every_principal_behind_the_wall, filters_by_foreign_ids_find_nothing,
    foreign_ids_in_bodies_are_unknown, heads_answer_as_gets,
};
use audit::{
    assignments_end_with_their_membership, denials_are_told_and_bounded,
    failed_sign_ins_are_told_and_bounded, what_goes_with_its_parent_is_told,
};
use bulk::{
    a_table_is_sent_again_under_its_key, a_thousand_are_made_at_once,
    all_are_made_or_none_unless_it_is_asked_for, modules_stand_where_their_maker_may_make_them,
    what_is_no_table_is_told,
};
use cache::{
    installations_share_a_redis_and_no_answers, lists_of_modules_know_how_long_they_are,
    nobody_is_given_what_was_made_for_others, of_many_who_ask_at_once_one_has_it_made,
    two_nodes_share_what_they_made, what_readings_change_is_made_each_time,
    what_was_made_is_given_again_until_it_changes,
};
use client_address::{a_trusted_proxy_tells_who_asks, nobody_is_believed_by_default};
use commands::{
    completions_name_the_verbs, the_demonstration_loads_into_a_running_server,
    the_demonstration_starts_a_server_of_its_own, the_first_superuser_is_made_with_the_printed_token,
};
use contract::{
    all_faults_come_at_once, conditional_requests, every_failure_has_the_one_body, health_and_discovery,
    lists_are_paged_sorted_and_searched, malformed_bodies, the_document_and_the_route_table_agree,
};
use crowds::{a_body_on_its_way_holds_no_place, a_crowd_before_lists_costs_no_readings};
use demo::daily_averages_equal_a_plain_computation;
use documents::the_programs_understand_what_documents_say;
use edges::{
    a_body_agrees_with_its_path, a_rule_over_two_fields_names_one, a_search_finds_letters_beyond_ascii,
    a_strangers_body_is_not_looked_at, a_write_is_told_whatever_the_client_has,
    keys_that_no_metric_can_have_are_refused, links_never_name_a_host, many_months_are_counted_like_few,
    members_are_sorted_by_the_first_key_first, members_cannot_search_addresses_that_they_do_not_see,
    names_in_any_script_are_names, no_value_spoils_the_figures_of_its_series,
    the_bare_address_leads_to_the_documentation, the_documentation_knows_its_methods,
    the_last_moments_of_the_year_9999_are_asked_for, users_of_another_organization_are_not_told,
    what_announces_too_much_is_refused_before_anything_else, zones_are_spelled_as_their_database_does,
};
use embedded::another_application_serves_the_api_beside_its_own;
use equal_work::{
    a_dead_token_is_told_like_one_that_never_was, each_failed_sign_in_asks_the_same_of_the_database,
    each_failed_sign_in_checks_one_hash, inviting_costs_the_same_whoever_has_an_account,
    who_forgot_his_password_costs_what_a_stranger_costs,
};
use flood::{
    a_flood_of_sign_ins_is_turned_away_and_holds_nobody_up, two_hundred_sign_ins_a_second_hold_nobody_up,
};
use forged_tokens::no_forged_token_is_accepted;
use gateways::{
    a_gateway_stays_while_modules_report_through_it, changes_of_gateways_at_once_close_no_circle,
    gateways_stand_at_their_site_and_in_no_circle,
};
use idempotency::{
    a_final_refusal_is_given_again, a_key_is_forgotten_after_a_day, a_key_is_of_one_request_of_one_caller,
    a_secret_is_shown_again_and_kept_sealed, a_twin_under_way_is_not_waited_for_long,
    twins_at_the_same_moment_have_one_effect, what_is_sent_again_has_one_effect_and_one_answer,
    whoever_may_not_claims_nothing_and_is_told_nothing,
};
use import::{
    a_file_is_imported_and_imported_again, a_file_of_bad_rows_is_told_row_by_row,
    an_import_finds_the_server_of_the_settings, mistakes_of_an_import_are_told,
};
use import_users::{
    an_import_judges_every_line_and_changes_nobody, files_that_are_no_lists_of_users_are_told,
    imported_users_sign_in_with_their_old_passwords,
};
use ingest::{
    a_batch_of_nothing_but_bad_rows_tells_how_many, another_tenants_module_is_unknown,
    batches_side_by_side_open_new_months, batches_that_are_refused_as_a_whole,
    good_rows_are_kept_and_bad_ones_named, history_is_read_back_in_slices, queries_answer_in_calendar_terms,
    the_same_batch_twice_changes_nothing,
};
use invitations::{
    a_stranger_joins_with_the_token_of_his_mail, an_account_that_there_is_joins_as_it_is,
    two_who_bring_the_same_token_make_one_account, what_cannot_be_invited_to_is_told,
    what_is_past_sent_again_or_taken_back_is_dead,
};
use jobs::{
    a_dead_job_is_run_again, a_job_is_done_and_tells_so, a_stop_at_any_moment_leaves_no_job_behind,
    a_stopped_worker_gives_its_jobs_back, a_worker_that_lost_its_lease_writes_nothing,
    an_effect_and_its_settlement_are_one, jobs_are_listed_by_those_who_caused_them, leases_run_out,
};
use jobs_told::{
    a_member_sees_what_he_caused_and_no_more, errors_tell_nothing_of_the_inside,
    jobs_are_sorted_and_found_by_their_times, jobs_of_a_newer_versions_lanes_are_listed,
    who_ran_it_again_or_took_it_back_is_told,
};
use keys::{
    a_device_sends_for_itself, a_key_is_shown_once_and_opens_what_its_scopes_name,
    a_key_loses_what_its_owner_loses, a_revoked_key_ends_what_it_has_begun,
    a_sites_credential_is_for_the_modules_there, all_admins_are_told_of_an_organizations_key,
    an_organizations_key_acts_as_its_admin, everybody_is_told_what_he_may_do, no_key_changes_an_address,
    no_key_makes_a_superuser, scopes_are_known_and_never_wider_than_their_owner,
};
use lifetimes::{
    a_session_that_is_not_used_ends_after_thirty_days, a_session_that_is_used_ends_after_ninety_days,
    an_access_token_ends_with_its_session,
};
use limits::{
    an_answer_has_at_most_a_hundred_series, an_answer_has_at_most_a_hundred_thousand_readings,
    sites_in_different_zones_need_a_zone,
};
use meanwhile::{
    a_body_that_trickles_keeps_no_rights, a_replaced_password_lets_nobody_in_any_more,
    tokens_of_ended_sessions_are_limited,
};
use meetings::{
    a_database_adopts_one_secret, a_guess_at_the_setup_token_is_told, a_setup_token_makes_one_superuser,
    an_admin_and_a_superuser_stay, an_archived_organization_has_no_active_sites,
    an_archived_site_has_no_active_modules, nothing_is_restored_without_what_it_refers_to,
    only_a_precondition_fails_as_one, what_is_in_use_is_not_archived, who_leaves_takes_no_assignment_along,
};
use names::modules_are_found_by_external_id_and_never_guessed;
use own_sessions::{
    a_node_with_a_wrong_clock_forgets_nothing, a_refresh_waits_for_another_one,
    a_sign_in_from_a_new_address_is_told, a_superuser_ends_the_sessions_of_others,
    a_user_sees_and_ends_his_sessions, another_client_is_no_other_tab,
    signing_out_everywhere_ends_all_and_their_refresh_tokens, too_many_tabs_wait_and_stay_signed_in,
};
use passwords::{
    a_password_is_changed_by_who_knows_it, a_password_is_changed_once,
    a_token_that_nobody_was_sent_opens_nothing, guesses_at_the_old_password_are_slowed_down,
    passwords_are_long_and_hard_to_guess,
};
use pasted::{all_documents_with_commands_are_pasted, the_commands_of_the_documents_work};
use races::{
    a_superuser_is_left_when_two_remove_each_other, an_admin_is_left_when_accounts_are_archived,
    an_admin_is_left_when_two_remove_each_other, one_refresh_token_has_one_successor,
};
use rate_limits::{
    a_key_is_counted_for_itself, all_of_an_address_meet_its_limit, every_operation_has_a_class,
    one_user_meets_his_own_limit_from_everywhere, organizations_have_their_shares,
    strangers_are_counted_by_their_address, without_redis_the_api_answers,
};
use reference::{
    every_operation_names_what_it_takes_and_answers, every_type_of_error_has_its_page,
    the_examples_are_accepted, the_older_document_tells_the_same,
};
use rejects::{no_more_than_a_thousand_are_kept, rejected_rows_are_kept_with_their_reason};
use report_files::a_month_of_the_sample_equals_a_plain_computation;
use report_limits::{an_organization_waits_for_so_many, one_about_too_much_says_what_to_choose};
use reports::{
    a_members_report_holds_what_is_assigned_to_him, a_run_is_about_a_day_a_week_or_a_month,
    a_schedule_follows_its_report, a_schedule_keeps_the_calendar_of_its_place,
    a_superusers_report_stays_within_its_organization, hostile_names_are_harmless,
    those_are_told_who_may_fetch_it, three_recipients_get_the_file_by_mail,
    what_waits_is_not_asked_for_twice_and_is_bounded, who_has_left_asks_for_nothing_more,
    who_lost_access_before_the_mail_went_gets_none,
};
use resets::{
    a_reset_keeps_the_places_where_its_user_signs_in, a_reset_tells_which_keys_are_left,
    a_superusers_reset_is_marked,
};
use resources::{
    a_site_lives_dies_and_returns, archiving_a_site_hides_its_modules_and_stops_their_ingest, includes_embed,
    members_and_assignments, modules_move_and_report, names_are_unique_among_the_active,
    operators_annotate_and_nothing_more, the_audit_log_tells_who_did_what, the_catalogue_is_shared_and_owned,
    the_last_admin_and_the_last_superuser_stay,
};
use rollups::{
    another_calendar_has_other_days, batches_have_their_figures_made,
    mistakes_of_a_question_about_rollups_are_told, operators_verify_and_rebuild,
    readings_are_deleted_by_a_job, rollups_are_for_those_who_see_the_readings,
    rollups_are_listed_as_they_are_kept,
};
use schedules::two_workers_do_what_is_due_once;
use sessions::{
    a_deactivated_user_is_out_with_the_next_call, a_superusers_sign_in_is_marked, login_and_me,
    logout_ends_the_session_at_once, refresh_rotates_and_reuse_ends_the_session, setup_works_once,
    the_token_endpoint_speaks_oauth2,
};
use statements::{
    keys_are_known_by_one_statement, lists_with_everything_take_few_statements,
    many_objects_take_few_statements, telemetry_takes_few_statements,
};
use throttling::{
    a_place_is_known_for_a_while, an_address_has_a_rate_of_its_own,
    failures_delay_the_next_guess_and_keep_nobody_out, forged_refresh_tokens_are_limited_and_ask_nothing,
    guesses_at_the_same_moment_count_each, letters_to_an_address_are_few,
    nobodys_address_is_limited_like_an_account,
};
use transport::{
    errors_come_in_the_form_that_is_asked_for, every_answer_is_shielded, limits_are_settings,
    only_a_trusted_proxy_says_that_it_was_https, pages_that_are_named_may_ask,
    plain_requests_are_refused_where_https_is_required, requests_have_their_limits,
};
use uniform::{
    lists_begin_with_twenty_and_their_links_lead_to_every_row_once,
    resources_have_plural_names_and_actions_stand_below_them,
    what_clients_say_of_the_columns_of_a_change_is_not_stored,
};
use versions::{
    a_version_is_named_by_the_path_or_a_header, what_is_deprecated_says_so,
    writes_without_a_version_are_those_of_the_first,
};
