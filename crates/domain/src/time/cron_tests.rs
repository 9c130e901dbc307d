use super::*;

fn cron(text: &str) -> Cron {
    text.parse().unwrap_or_else(|_| panic!("{text} is an expression"))
}

fn zone(name: &str) -> Zone {
    name.parse().unwrap_or_else(|_| panic!("{name} is a zone"))
}

fn at(text: &str) -> Instant {
    text.parse().unwrap_or_else(|_| panic!("{text} is a moment"))
}

/// The moments after `from` up to `to`, as the clock of the zone shows them.
fn slots(text: &str, name: &str, from: &str, to: &str) -> Vec<String> {
    let (cron, zone, to) = (cron(text), zone(name), at(to));
    let next = |at: Instant| cron.next_after(&zone, at).filter(|next| *next <= to);
    let moments = std::iter::successors(next(at(from)), |slot| next(*slot));
    let shown = |slot: Instant| slot.timestamp().to_zoned(zone.inner().clone()).strftime("%dT%H:%M%z");
    moments.map(|slot| shown(slot).to_string()).collect()
}

const SPRING: (&str, &str) = ("2026-03-28T23:00:00Z", "2026-03-29T21:00:00Z");
const AUTUMN: (&str, &str) = ("2026-10-24T22:00:00Z", "2026-10-25T22:00:00Z");

#[test]
fn a_time_that_a_day_skips_runs_once_when_the_clock_has_jumped() {
    let spring = |text| slots(text, "Europe/Paris", SPRING.0, SPRING.1);
    assert_eq!(spring("30 2 * * *"), ["29T03:00+0200"]);
    assert_eq!(spring("0 2 * * *"), ["29T03:00+0200"]);
    assert_eq!(spring("*/15 2 * * *"), ["29T03:00+0200"]);
    assert_eq!(spring("30 2,14 * * *"), ["29T03:00+0200", "29T14:30+0200"]);
    assert_eq!(
        spring("0,30 1-3 * * *"),
        ["29T01:00+0100", "29T01:30+0100", "29T03:00+0200", "29T03:30+0200"]
    );
    assert_eq!(spring("30 1 * * *"), ["29T01:30+0100"]);
    assert_eq!(spring("0 */8 * * *"), ["29T08:00+0200", "29T16:00+0200"]);
}

#[test]
fn a_time_that_a_day_has_twice_runs_the_first_time() {
    let autumn = |text| slots(text, "Europe/Paris", AUTUMN.0, AUTUMN.1);
    assert_eq!(autumn("30 2 * * *"), ["25T02:30+0200"]);
    assert_eq!(autumn("*/30 2 * * *"), ["25T02:00+0200", "25T02:30+0200"]);
    assert_eq!(autumn("30 2,14 * * *"), ["25T02:30+0200", "25T14:30+0100"]);
    assert_eq!(autumn("0 3 * * *"), ["25T03:00+0100"]);
}

#[test]
fn every_hour_goes_with_the_hours_that_there_are() {
    let count = |text, name, range: (&str, &str)| slots(text, name, range.0, range.1).len();
    let day = |from: &'static str, to: &'static str| (from, to);
    let spring = day("2026-03-28T22:59:59Z", "2026-03-29T21:59:59Z");
    let autumn = day("2026-10-24T21:59:59Z", "2026-10-25T22:59:59Z");
    assert_eq!(
        (count("0 * * * *", "Europe/Paris", spring), count("0 * * * *", "Europe/Paris", autumn)),
        (23, 25)
    );
    assert_eq!(count("* 0-23 * * *", "Europe/Paris", spring), 23 * 60);
    assert_eq!(count("* * * * *", "Europe/Paris", autumn), 25 * 60);
    let half = slots("0 * * * *", "Asia/Kolkata", "2026-01-01T00:00:00Z", "2026-01-01T02:00:00Z");
    assert_eq!(half, ["01T06:00+0530", "01T07:00+0530"]);
}

#[test]
fn odd_changes_of_the_clock() {
    // Half an hour, in both directions.
    let lord_howe = |text, from, to| slots(text, "Australia/Lord_Howe", from, to);
    assert_eq!(lord_howe("15 2 * * *", "2026-10-03T13:00:00Z", "2026-10-04T12:00:00Z"), ["04T02:30+1100"]);
    assert_eq!(lord_howe("45 1 * * *", "2026-04-04T13:00:00Z", "2026-04-05T12:00:00Z"), ["05T01:45+1100"]);
    // Midnight itself.
    let cairo = slots("0 0 * * *", "Africa/Cairo", "2026-04-23T12:00:00Z", "2026-04-24T12:00:00Z");
    assert_eq!(cairo, ["24T01:00+0300"]);
    // A whole day that never was.
    let apia = slots("0 6 * * *", "Pacific/Apia", "2011-12-29T10:00:00Z", "2011-12-31T09:00:00Z");
    assert_eq!(apia, ["29T06:00-1000", "31T00:00+1400", "31T06:00+1400"]);
}

#[test]
fn ends_of_months_and_leap_years() {
    let utc = |text, from, to| slots(text, "UTC", from, to);
    assert_eq!(
        utc("0 0 31 * *", "2026-01-01T00:00:00Z", "2026-06-30T00:00:00Z"),
        ["31T00:00+0000", "31T00:00+0000", "31T00:00+0000"]
    );
    assert_eq!(
        utc("0 0 L 2 *", "2027-01-01T00:00:00Z", "2028-12-31T00:00:00Z"),
        ["28T00:00+0000", "29T00:00+0000"]
    );
    // The first Monday; the working day next to the 1st, a Sunday.
    assert_eq!(utc("0 6 * * MON#1", "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"), ["02T06:00+0000"]);
    assert_eq!(utc("0 6 1W 3 *", "2026-01-01T00:00:00Z", "2026-12-31T00:00:00Z"), ["02T06:00+0000"]);
    let leap = cron("30 6 29 2 *");
    let next = |from: &str| leap.next_after(&Zone::UTC, at(from)).map(|slot| slot.to_string());
    assert_eq!(next("2026-01-01T00:00:00Z").as_deref(), Some("2028-02-29T06:30:00.000Z"));
    // 2100 is none.
    assert_eq!(next("2096-03-01T00:00:00Z").as_deref(), Some("2104-02-29T06:30:00.000Z"));
    assert_eq!(utc("0 0 1 1 *", "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"), ["01T00:00+0000"]);
}

#[test]
fn either_day_is_enough_if_both_are_limited() {
    let days = slots("0 12 13 * FRI", "UTC", "2026-03-01T00:00:00Z", "2026-03-21T00:00:00Z");
    assert_eq!(days, ["06T12:00+0000", "13T12:00+0000", "20T12:00+0000"]);
    assert_eq!(
        slots("0 6 * * mon-fri", "UTC", "2026-03-06T07:00:00Z", "2026-03-10T07:00:00Z"),
        ["09T06:00+0000", "10T06:00+0000"]
    );
    for sunday in ["0 0 * * 0", "0 0 * * 7", "0 0 * * SUN"] {
        assert_eq!(slots(sunday, "UTC", "2026-03-02T00:00:00Z", "2026-03-09T00:00:00Z"), ["08T00:00+0000"]);
    }
}

#[test]
fn a_moment_is_not_after_itself_and_is_the_last_until_itself() {
    let (every, slot) = (cron("*/5 * * * *"), at("2026-03-06T07:05:00Z"));
    assert_eq!(every.next_after(&Zone::UTC, slot), Some(at("2026-03-06T07:10:00Z")));
    assert_eq!(every.last_until(&Zone::UTC, slot), Some(slot));
    let (within, before) = (at("2026-03-06T07:05:00.5Z"), at("2026-03-06T07:04:59.999999Z"));
    assert_eq!(every.last_until(&Zone::UTC, within), Some(slot));
    assert_eq!(every.next_after(&Zone::UTC, before), Some(slot));
    let daily = cron("5 7 * * *");
    assert_eq!(daily.last_until(&Zone::UTC, within), Some(slot));
    assert_eq!(daily.next_after(&Zone::UTC, before), Some(slot));
    assert_eq!(daily.next_after(&Zone::UTC, within), Some(at("2026-03-07T07:05:00Z")));
}

/// Forwards and backwards there are the same moments, most of all around the changes of the clock.
#[test]
fn both_directions_agree() {
    let expressions = [
        "*/7 * * * *",
        "0 * * * *",
        "30 2 * * *",
        "*/15 2 * * *",
        "0,30 1-3 * * *",
        "0 0 * * *",
        "45 1,2 29 3 *",
    ];
    let zones = [
        ("Europe/Paris", ["2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"]),
        ("America/St_Johns", ["2026-03-08T05:30:00Z", "2026-11-01T04:30:00Z"]),
        ("Australia/Lord_Howe", ["2026-10-03T15:30:00Z", "2026-04-04T15:00:00Z"]),
        ("Africa/Cairo", ["2026-04-23T22:00:00Z", "2026-10-29T21:00:00Z"]),
    ];
    for (text, (name, changes)) in expressions.iter().flat_map(|text| zones.map(|zone| (text, zone))) {
        let (cron, zone) = (cron(text), zone(name));
        for around in changes {
            let first = at(around).as_secs() - 2 * 3_600;
            for moment in (0..4 * 6).map(|step| Instant::from_secs(first + step * 600 + 17)) {
                let (last, next) =
                    (cron.last_until(&zone, moment).unwrap(), cron.next_after(&zone, moment).unwrap());
                let context = format!("{text} in {name} at {moment}: {last}, {next}");
                assert!(last <= moment && moment < next, "{context}");
                assert_eq!(cron.next_after(&zone, last), Some(next), "{context}");
                assert_eq!(cron.last_until(&zone, next), Some(next), "{context}");
                let just_before = Instant::from_secs(next.as_secs() - 1);
                assert_eq!(cron.last_until(&zone, just_before), Some(last), "{context}");
            }
        }
    }
}

#[test]
fn what_is_no_expression_or_never_comes_is_refused() {
    for odd in [
        "",
        "* * * *",
        "* * * * * *",
        "@daily",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * * 8",
        "*/0 * * * *",
        "5-1 * * * *",
        "a * * * *",
        "0 0 30 2 *",
        "0 0 31 4,6,9,11 *",
        "1,,2 * * * *",
        "0 0 * FOO *",
        "½ * * * *",
        "0 0 30 FEB *",
        "-1 * * * *",
    ] {
        assert_eq!(odd.parse::<Cron>(), Err(NotACron), "{odd}");
    }
    assert!(format!("{} * * * *", "0,".repeat(60)).parse::<Cron>().is_err());
    assert_eq!(cron("  0   6 *  * 1 ").to_string(), "0 6 * * 1");
}
