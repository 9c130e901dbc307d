use super::*;

const NOW: Instant = Instant::from_secs(1_800_000_000);

/// Guesses as early as each may be made; the moments at which they are.
fn guesses(pace: &Pace, count: usize) -> Vec<Duration> {
    let (mut counter, mut now) = (Counter::default(), NOW);
    let mut moments = Vec::new();
    while moments.len() < count {
        match counter.with_one_more(pace, now) {
            Ok(next) => {
                moments.push(now.since(NOW));
                counter = next;
            }
            Err(wait) => now = now.plus(wait),
        }
    }
    moments
}

#[test]
fn each_failure_delays_the_next_attempt_more() {
    let moments: Vec<u64> = guesses(&OF_PASSWORDS, 9).iter().map(Duration::as_secs).collect();
    assert_eq!(moments, [0, 0, 0, 0, 0, 6, 18, 42, 90]);
}

#[test]
fn whoever_guesses_on_has_a_hundred_in_days_and_then_one_a_day() {
    let moments = guesses(&OF_PASSWORDS, 130);
    assert!(moments[99] > DAY * 3 && moments[99] < DAY * 4, "{:?}", moments[99]);
    for pair in moments[99..].windows(2) {
        assert_eq!(pair[1].checked_sub(pair[0]), Some(DAY));
    }
    let longest = moments.windows(2).take(99).map(|pair| pair[1].saturating_sub(pair[0])).max();
    assert_eq!(longest, Some(OF_PASSWORDS.most));
}

#[test]
fn an_attempt_that_comes_too_early_changes_nothing() {
    let mut counter = Counter::default();
    for _ in 0..OF_PASSWORDS.free {
        counter = counter.with_one_more(&OF_PASSWORDS, NOW).expect("free");
    }
    assert_eq!(counter.with_one_more(&OF_PASSWORDS, NOW), Err(Duration::from_secs(6)));
    let early = NOW.plus(Duration::from_secs(5));
    assert_eq!(counter.with_one_more(&OF_PASSWORDS, early), Err(Duration::from_secs(1)));
    assert!(counter.with_one_more(&OF_PASSWORDS, NOW.plus(Duration::from_secs(6))).is_ok());
}

#[test]
fn what_is_taken_back_leaves_the_delay_of_the_rest() {
    let mut counter = Counter::default();
    for _ in 0..OF_PASSWORDS.free + 2 {
        counter = counter.with_one_more(&OF_PASSWORDS, counter.next_at.max(NOW)).expect("due");
    }
    let last = NOW.plus(Duration::from_secs(6 + 12));
    assert_eq!((counter.failures, counter.next_at), (7, last.plus(Duration::from_secs(24))));
    let left = |taken_back: u32| {
        let left = counter.without(taken_back, &OF_PASSWORDS);
        (left.failures, left.next_at.since(last).as_secs())
    };
    assert_eq!([left(0), left(1), left(2), left(3), left(9)], [(7, 24), (6, 12), (5, 6), (4, 0), (0, 0)]);
}

#[test]
fn what_is_taken_back_is_given_back_unless_it_is_written() {
    let unjudged = Unjudged::default();
    let which = || (AccountKey([7; 32]), Some(Place::of("192.0.2.1".parse().expect("an address"))));
    unjudged.note(which(), NOW);
    unjudged.note(which(), NOW);
    assert_eq!(unjudged.take((AccountKey([7; 32]), None), NOW).attempts(), 0);
    let taken_back = unjudged.take(which(), NOW);
    assert_eq!((taken_back.attempts(), unjudged.take(which(), NOW).attempts()), (2, 0));
    drop(taken_back);
    let taken_back = unjudged.take(which(), NOW);
    assert_eq!(taken_back.attempts(), 2);
    taken_back.settle();
    assert_eq!(unjudged.take(which(), NOW).attempts(), 0);
}

#[test]
fn what_nobody_tries_again_takes_no_place_for_long() {
    let unjudged = Unjudged::default();
    let which =
        |number: u32| (AccountKey([7; 32]), Some(Place::of(std::net::Ipv4Addr::from_bits(number).into())));
    let later = NOW.plus(Duration::from_mins(15));
    for number in 0..=1_000 {
        unjudged.note(which(number), NOW);
    }
    assert_eq!(unjudged.take(which(1_000), NOW).attempts(), 0, "one more than are remembered");
    assert_eq!(unjudged.take(which(1), later).attempts(), 0, "too long ago");
    unjudged.note(which(2), later);
    assert_eq!(unjudged.take(which(2), later).attempts(), 1, "the one of before is forgotten");
    unjudged.note(which(3), later);
    unjudged.note(which(4), later);
    unjudged.note(which(1_000), later);
    assert_eq!(unjudged.take(which(1_000), later).attempts(), 1, "there is room again");
}

#[test]
fn failures_are_forgotten_after_a_quiet_time() {
    let failed = |times: u32| Counter {
        failures: times,
        next_at: NOW,
        forget_at: NOW.plus(OF_PASSWORDS.kept_after(times)),
    };
    let next = |times: u32, days: u64| {
        let later = NOW.plus(Duration::from_hours(24 * days));
        failed(times).with_one_more(&OF_PASSWORDS, later).expect("long ago").failures
    };
    assert_eq!((next(5, 6), next(5, 7)), (6, 1));
    assert_eq!((next(6, 29), next(6, 30)), (7, 1));
}

#[test]
fn a_clock_that_is_set_back_keeps_nobody_out() {
    let ahead = NOW.plus(Duration::from_hours(365 * 24));
    let counter = Counter { failures: 7, next_at: ahead, forget_at: ahead };
    assert!(counter.with_one_more(&OF_PASSWORDS, NOW).is_ok());
}

#[test]
fn no_number_of_failures_is_too_large() {
    for failures in [99, 100, u32::MAX] {
        let counter = Counter { failures, next_at: NOW, forget_at: NOW.plus(DAY) };
        let more = counter.with_one_more(&OF_PASSWORDS, NOW).expect("due");
        assert!(more.next_at.since(NOW) == DAY && more.failures >= failures);
        let more = counter.with_one_more(&OF_LETTERS, NOW).expect("due");
        assert_eq!(more.next_at.since(NOW), OF_LETTERS.most);
    }
}

#[test]
fn a_place_is_an_address_or_a_customers_network() {
    for (address, place) in [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
    ] {
        assert_eq!(Place::of(address.parse().expect("an address")).as_str(), place);
    }
}

#[test]
fn an_account_is_one_however_its_address_is_written() {
    let key = |email: &str| AccountKey::of_sign_in(&email.parse().expect("an address"));
    assert!(key("Ada@Example.org") == key("ada@example.org"));
    assert!(key("ada@example.org") != key("eve@example.org"));
    let letters = AccountKey::of_letters(&"ada@example.org".parse().expect("an address"));
    assert!(key("ada@example.org") != letters, "a letter is no guess");
}
