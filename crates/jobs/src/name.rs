//! The names of workers, which tell on the same machine whether their process still lives: what a dead one held is taken back
//! at once, and not only when its leases run out.

use std::{
    fs,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};

/// Where a process number means something: one boot of one machine, and there one namespace of processes.
fn place() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    let number: String = namespace.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    Some(format!("{}.{number}", boot.trim()))
}

/// When a process began, in ticks since the machine's boot; `None` if it is gone, or only its parent has not noticed yet.
fn began(pid: &str) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in brackets, which may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let state = fields.next()?;
    let began = fields.nth(18)?;
    (!matches!(state, "Z" | "X")).then(|| began.to_owned())
}

/// A name that no other worker has and no earlier start of this one had.
pub(crate) fn fresh() -> String {
    static WORKERS: AtomicU64 = AtomicU64::new(0);
    let number = WORKERS.fetch_add(1, Ordering::Relaxed);
    let pid = std::process::id().to_string();
    match (place(), began(&pid)) {
        (Some(place), Some(began)) => format!("{place}/{pid}/{began}/{number}"),
        // Seeded by the system's randomness.
        _ => format!("?/{pid}/{:016x}/{number}", RandomState::new().build_hasher().finish()),
    }
}

/// Whether the process of that name surely runs no more. Of another machine, nobody can tell.
pub(crate) fn is_dead(name: &str) -> bool {
    let mut parts = name.split('/');
    let (Some(its_place), Some(pid), Some(its_beginning)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let is_number = !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit());
    is_number
        && place().is_some_and(|here| here == its_place)
        && began(pid).is_none_or(|beginning| beginning != its_beginning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_tell_the_living_from_the_dead() {
        let (one, other) = (fresh(), fresh());
        assert_ne!(one, other);
        assert!(!is_dead(&one) && !is_dead(&other));

        let mut child = std::process::Command::new("sleep").arg("600").spawn().expect("a process");
        let parts: Vec<&str> = one.split('/').collect();
        let pid = child.id().to_string();
        let of_child = format!("{}/{pid}/{}/0", parts[0], began(&pid).expect("it lives"));
        assert!(!is_dead(&of_child));
        let of_former = format!("{}/{pid}/1/0", parts[0]);
        assert!(is_dead(&of_former), "the number belongs to another process by now");
        child.kill().expect("it dies");
        while !is_dead(&of_child) {
            std::thread::yield_now();
        }
        child.wait().expect("it is awaited");
        assert!(is_dead(&of_child));
        assert!(!is_dead(&of_child.replacen(parts[0], "elsewhere", 1)), "of another machine nobody can tell");
    }

    #[test]
    fn what_is_no_name_is_not_dead() {
        for name in ["", "x", "a/b", "a/b/c/d", "?/12/ab/0", "///"] {
            assert!(!is_dead(name), "{name}");
        }
    }
}
