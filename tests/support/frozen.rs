//! A database that stands still: it answers nothing and refuses nothing, as behind a network that swallows packets.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use crate::postgres::PostgresServer;

/// The stopped processes of a server. Dropping it lets them go on.
#[derive(Debug)]
pub struct Frozen(Vec<Pid>);

impl Frozen {
    /// Stops a server and all its sessions where they are (SIGSTOP).
    pub fn over(server: &PostgresServer) -> Self {
        let parent = server.pid().expect("a running server");
        // First of all, so that it starts no more sessions.
        let mut frozen = Self(Vec::new());
        frozen.stop(parent);
        for child in children(parent) {
            frozen.stop(child);
        }
        frozen
    }

    /// Stops the sessions that clients have now, as when all connections of a while ago lead nowhere. New ones are served.
    pub fn over_sessions(server: &PostgresServer) -> Self {
        let mut frozen = Self(Vec::new());
        sessions(server).for_each(|session| frozen.stop(session));
        frozen
    }

    /// How many processes stand still.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    fn stop(&mut self, pid: Pid) {
        // A session may have ended meanwhile.
        if kill_process(pid, Signal::STOP).is_ok() {
            self.0.push(pid);
        }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for pid in &self.0 {
            let _gone = kill_process(*pid, Signal::CONT);
        }
    }
}

/// Ends one of the sessions that clients have now (SIGKILL); the server then throws out all others, and recovers.
pub fn kill_a_session(server: &PostgresServer) {
    let session = sessions(server).next().expect("a session");
    kill_process(session, Signal::KILL).expect("a session that runs");
}

fn sessions(server: &PostgresServer) -> impl Iterator<Item = Pid> {
    children(server.pid().expect("a running server")).into_iter().filter(|child| {
        let name = fs::read_to_string(format!("/proc/{}/cmdline", child.as_raw_nonzero()));
        name.is_ok_and(|name| name.contains("127.0.0.1("))
    })
}

/// The processes that this one has started.
fn children(parent: Pid) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").expect("a system that shows its processes");
    let processes = processes.filter_map(Result::ok).filter_map(|entry| {
        let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
        let status = fs::read_to_string(entry.path().join("stat")).ok()?;
        // Behind the name, which may hold anything, come the state and the parent.
        let (_, rest) = status.rsplit_once(") ")?;
        let its_parent: i32 = rest.split(' ').nth(1)?.parse().ok()?;
        (Pid::from_raw(its_parent) == Some(parent)).then_some(pid)
    });
    processes.collect()
}
