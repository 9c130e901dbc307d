use std::time::Instant;

use super::*;

const COST: u32 = 4;

fn hasher(seeds: &[u8], cost: u32) -> BcryptHasher {
    let list: Vec<_> = seeds.iter().map(|seed| STANDARD.encode([*seed; 32])).collect();
    BcryptHasher::new(&list.join(",").parse().expect("a ring"), cost).expect("a hasher")
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn imported(password: &[u8], variant: &str) -> PasswordHash {
    let hash = bcrypt::hash(password, COST).expect("a hash").replacen("$2b$", variant, 1);
    PasswordHash { scheme: PLAIN.to_owned(), pepper_id: String::new(), hash: Secret::new(hash) }
}

async fn check(hasher: &BcryptHasher, password: &str, stored: &PasswordHash) -> PasswordVerdict {
    hasher.verify(secret(password), Some(stored.clone())).await.expect("a verdict")
}

#[tokio::test]
async fn the_right_password_is_correct_and_others_are_wrong() {
    let hasher = hasher(&[1], COST);
    for password in ["correct horse", "pässwörd 日本 🌬", "a\0b", "x", &"long ".repeat(200)] {
        let stored = hasher.hash(secret(password)).await.expect("a hash");
        assert!(stored.hash.expose().starts_with("$2b$04$"));
        assert_eq!(check(&hasher, password, &stored).await, PasswordVerdict::Correct);
        for other in [format!("{password}x"), format!(" {password}"), password.to_uppercase(), "y".to_owned()]
        {
            assert_eq!(check(&hasher, &other, &stored).await, PasswordVerdict::Wrong, "{other:?}");
        }
    }
}

#[tokio::test]
async fn every_byte_counts_beyond_what_bcrypt_reads_and_after_a_nul() {
    let hasher = hasher(&[1], COST);
    for (password, other) in [
        (format!("{}one", "x".repeat(72)), format!("{}two", "x".repeat(72))),
        ("a\0one".to_owned(), "a\0two".to_owned()),
        ("a\0".to_owned(), "a".to_owned()),
    ] {
        let stored = hasher.hash(secret(&password)).await.expect("a hash");
        assert_eq!(check(&hasher, &password, &stored).await, PasswordVerdict::Correct);
        assert_eq!(check(&hasher, &other, &stored).await, PasswordVerdict::Wrong);
    }
}

#[tokio::test]
async fn the_same_password_hashes_differently_each_time() {
    let hasher = hasher(&[1], COST);
    let (one, two) = (hasher.hash(secret("p")).await, hasher.hash(secret("p")).await);
    assert!(one.expect("a hash") != two.expect("a hash"));
}

#[tokio::test]
async fn a_new_first_key_makes_old_hashes_outdated_and_a_dropped_one_useless() {
    let stored = hasher(&[1], COST).hash(secret("p")).await.expect("a hash");
    assert_eq!(check(&hasher(&[2, 1], COST), "p", &stored).await, PasswordVerdict::CorrectButOutdated);
    assert_eq!(check(&hasher(&[2, 1], COST), "q", &stored).await, PasswordVerdict::Wrong);
    assert_eq!(check(&hasher(&[1, 2], COST), "p", &stored).await, PasswordVerdict::Correct);
    assert_eq!(check(&hasher(&[2], COST), "p", &stored).await, PasswordVerdict::Wrong);
}

#[tokio::test]
async fn a_pepper_is_not_another_pepper_under_its_name() {
    let mut stored = hasher(&[1], COST).hash(secret("p")).await.expect("a hash");
    let other = hasher(&[2], COST);
    stored.pepper_id.clone_from(&other.recipes.first.id);
    assert_eq!(check(&other, "p", &stored).await, PasswordVerdict::Wrong);
}

#[tokio::test]
async fn a_higher_cost_makes_old_hashes_outdated_and_a_lower_one_does_not() {
    let (low, high) = (hasher(&[1], COST), hasher(&[1], COST + 1));
    let cheap = low.hash(secret("p")).await.expect("a hash");
    let dear = high.hash(secret("p")).await.expect("a hash");
    assert_eq!(check(&high, "p", &cheap).await, PasswordVerdict::CorrectButOutdated);
    assert_eq!(check(&low, "p", &dear).await, PasswordVerdict::Correct);
}

#[tokio::test]
async fn imported_hashes_work_as_they_did_and_ask_to_be_replaced() {
    let hasher = hasher(&[1], COST);
    for variant in ["$2a$", "$2b$", "$2y$"] {
        let stored = imported("pässword".as_bytes(), variant);
        assert_eq!(check(&hasher, "pässword", &stored).await, PasswordVerdict::CorrectButOutdated);
        assert_eq!(check(&hasher, "password", &stored).await, PasswordVerdict::Wrong);
    }
    let long = "x".repeat(80);
    let stored = imported(long.as_bytes(), "$2b$");
    for password in [long.as_str(), &long[..72], &format!("{}yyy", &long[..72])] {
        assert_eq!(check(&hasher, password, &stored).await, PasswordVerdict::CorrectButOutdated);
    }
    assert_eq!(check(&hasher, &long[..71], &stored).await, PasswordVerdict::Wrong);
}

#[tokio::test]
async fn only_what_can_be_checked_later_is_adopted() {
    let hasher = hasher(&[1], COST);
    let good = imported(b"pass", "$2b$").hash.expose().clone();
    for variant in ["$2a$", "$2b$", "$2y$"] {
        let stored = hasher.adopt(secret(&good.replacen("$2b$", variant, 1))).expect("a hash");
        assert_eq!(check(&hasher, "pass", &stored).await, PasswordVerdict::CorrectButOutdated);
    }
    for odd in [
        String::new(),
        "pass".to_owned(),
        good[..59].to_owned(),
        format!("{good}x"),
        format!(" {good}"),
        format!("{good}\n"),
        good.replacen("$2b$", "$2x$", 1),
        good.replacen("$2b$", "$2$", 1),
        good.replacen("$04$", "$4$", 1),
        good.replacen("$04$", "$03$", 1),
        good.replacen("$04$", "$17$", 1),
        good.replacen("$04$", "$31$", 1),
        good.replacen("$04$", "$xx$", 1),
        format!("{}!{}", &good[..30], &good[31..]),
        format!("{}\u{e9}", &good[..58]),
        "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b".to_owned(),
    ] {
        assert!(hasher.adopt(secret(&odd)).is_err(), "{odd:?}");
    }
}

#[tokio::test]
async fn a_full_hasher_says_so_before_it_is_asked() {
    let hasher = hasher(&[1], COST);
    let mut taken: Vec<_> = (0..CONCURRENT + WAITING).map(|_| hasher.room().expect("room")).collect();
    assert!(matches!(hasher.room(), Err(HashError::Busy)));
    assert!(matches!(hasher.verify(secret("p"), None).await, Err(HashError::Busy)));
    let room = taken.pop().expect("a place");
    let verdict = hasher.verify_within(room, secret("p"), None).await.expect("a verdict");
    assert_eq!(verdict, PasswordVerdict::Wrong);
    taken.push(hasher.room().expect("given back"));
    assert!(hasher.room().is_err());
    drop(taken);
    assert!(hasher.room().is_ok());
}

#[tokio::test]
async fn a_hash_of_the_published_test_vectors_is_understood() {
    let stored = PasswordHash {
        hash: secret("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
        ..imported(b"", "$2b$")
    };
    assert_eq!(check(&hasher(&[1], COST), "U*U", &stored).await, PasswordVerdict::CorrectButOutdated);
}

#[tokio::test]
async fn nobody_signs_in_without_an_account_or_a_password() {
    let hasher = hasher(&[1], COST);
    let empty = hasher.hash(secret("")).await.expect("a hash");
    let imported_empty = imported(b"", "$2b$");
    let endless = "x".repeat(MAX_LENGTH + 1);
    let overlong = hasher.hash(secret(&endless)).await.expect("a hash");
    for (password, stored) in [
        ("p", None),
        ("", None),
        ("", Some(empty)),
        ("", Some(imported_empty)),
        (endless.as_str(), Some(overlong)),
        (endless.as_str(), Some(imported(endless.as_bytes(), "$2b$"))),
    ] {
        let verdict = hasher.verify(secret(password), stored).await.expect("a verdict");
        assert_eq!(verdict, PasswordVerdict::Wrong);
    }
}

#[tokio::test]
async fn an_unknown_account_takes_as_long_as_a_wrong_password() {
    let hasher = hasher(&[1], 8);
    let stored = hasher.hash(secret("p")).await.expect("a hash");
    let took = async |password: &str, stored: Option<PasswordHash>| {
        let start = Instant::now();
        hasher.verify(secret(password), stored).await.expect("a verdict");
        start.elapsed()
    };
    // In turn, so that a busy machine slows all of them alike; the fastest of each is the least disturbed.
    let [mut known, mut unknown, mut empty] = [Duration::MAX; 3];
    for _ in 0..7 {
        known = known.min(took("q", Some(stored.clone())).await);
        unknown = unknown.min(took("q", None).await);
        empty = empty.min(took("", Some(stored.clone())).await);
    }
    // A quarter is far below any noise and far above a short cut.
    assert!(unknown > known / 4 && empty > known / 4, "{known:?} {unknown:?} {empty:?}");
}

#[tokio::test]
async fn a_damaged_or_unknown_hash_is_our_error_and_says_nothing_of_it() {
    let hasher = hasher(&[1], COST);
    let good = hasher.hash(secret("p")).await.expect("a hash");
    let costly = good.hash.expose().replacen("$04$", "$31$", 1);
    for stored in [
        PasswordHash { scheme: "argon2id".to_owned(), ..good.clone() },
        PasswordHash { hash: secret(""), ..good.clone() },
        PasswordHash { hash: secret(&good.hash.expose()[..59]), ..good.clone() },
        PasswordHash { hash: secret(&good.hash.expose().replacen("$2b$", "$2x$", 1)), ..good.clone() },
        PasswordHash { hash: secret(&"é".repeat(30)), ..good.clone() },
        PasswordHash { hash: secret(&costly), ..good.clone() },
    ] {
        let error = hasher.verify(secret("p"), Some(stored)).await.expect_err("an error");
        assert!(matches!(error, HashError::Unusable(_)));
        assert!(!format!("{error:?}").contains(&good.hash.expose()[7..20]));
    }
}

#[tokio::test]
async fn beyond_the_queue_callers_are_told_at_once_that_it_is_full() {
    let hasher = Arc::new(hasher(&[1], COST));
    let busy = Arc::clone(&hasher.slots).acquire_many_owned(2).await.expect("both slots");
    let admitted = Arc::clone(&hasher.admission).acquire_many_owned(2).await.expect("two places");
    let queue: Vec<_> = (0..WAITING)
        .map(|_| {
            let hasher = Arc::clone(&hasher);
            tokio::spawn(async move { hasher.verify(secret("p"), None).await })
        })
        .collect();
    // On the test's single thread each yield runs everything that is ready once.
    tokio::task::yield_now().await;
    assert_eq!(hasher.admission.available_permits(), 0);
    let refused = hasher.verify(secret("p"), None).await;
    assert!(matches!(refused, Err(HashError::Busy)));
    drop((busy, admitted));
    for waiting in queue {
        assert_eq!(waiting.await.expect("joined").expect("a verdict"), PasswordVerdict::Wrong);
    }
}

#[tokio::test]
async fn nobody_waits_longer_than_patience() {
    let mut hasher = hasher(&[1], COST);
    hasher.patience = Duration::from_millis(20);
    let busy = Arc::clone(&hasher.slots).acquire_many_owned(2).await.expect("both slots");
    assert!(matches!(hasher.hash(secret("p")).await, Err(HashError::Busy)));
    drop(busy);
    assert!(hasher.hash(secret("p")).await.is_ok());
    assert_eq!(hasher.admission.available_permits(), CONCURRENT + WAITING);
}

#[test]
fn a_cost_that_bcrypt_does_not_know_is_refused() {
    let keys = STANDARD.encode([1; 32]).parse().expect("a ring");
    for cost in [0, 3, 32] {
        let Err(error) = BcryptHasher::new(&keys, cost) else { panic!("cost {cost} was accepted") };
        assert_eq!(error.to_string(), format!("the bcrypt cost must be from 4 to 31, not {cost}"));
    }
}

/// A check at a lower cost, and what makes up for it, is one check at the configured cost; bcrypt takes each of the hashes that nothing
/// matches.
#[tokio::test]
async fn a_cheaper_hash_is_no_less_work() {
    for lower in [COST, COST + 1, COST + 2, COST + 3] {
        let hasher = hasher(&[1], COST + 3);
        let work: u64 = (1 << lower) + hasher.recipes.lacking(lower).map(|cost| 1_u64 << cost).sum::<u64>();
        assert_eq!(work, 1 << (COST + 3), "from {lower}");
        hasher.recipes.make_up_for(lower).expect("done");
    }
    let stored = imported(b"correct horse", "$2b$");
    assert_eq!(check(&hasher(&[1], COST + 3), "another", &stored).await, PasswordVerdict::Wrong);
}
