//! Children that die with the tests, however the tests die.

use std::{
    io::Write as _,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

/// Kills the child when the pipe from the tests closes without a word, frozen or not, and removes the child's folder.
const SCRIPT: &str = r#"read -r _ && exit 0
kill -s "$1" "$2" 2>/dev/null
kill -s CONT "$2" 2>/dev/null
if [ -n "$3" ]; then
    tries=0
    while kill -0 "$2" 2>/dev/null && [ "$tries" -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
    rm -rf -- "$3"
fi"#;

/// A shell that waits on a pipe from this process: if the process is killed, the pipe closes and the shell acts.
///
/// Dropping it calls it off: whoever holds one stops the child himself.
pub(crate) struct Watchdog {
    shell: Child,
}

impl Watchdog {
    /// Watches over process `pid`, to be ended with `signal` (a name for `kill -s`); `folder` is removed afterwards.
    pub(crate) fn over(pid: u32, signal: &str, folder: Option<&Path>) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", SCRIPT, "watchdog", signal]).arg(pid.to_string());
        shell.arg(folder.unwrap_or(Path::new("")));
        // A group of its own: Ctrl-C in the terminal ends the tests, and must not end their watchdog first.
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        Self { shell: shell.spawn().expect("/bin/sh starts") }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.shell.stdin.take() {
            // A shell that is gone already has nothing left to be called off from.
            let _gone = pipe.write_all(b"called off\n");
        }
        let _status = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_kills_the_child_and_removes_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let mut watchdog = Watchdog::over(child.id(), "KILL", Some(folder.path()));
        drop(watchdog.shell.stdin.take());
        assert!(!child.wait().unwrap().success(), "the child was killed");
        watchdog.shell.wait().unwrap();
        assert!(!folder.path().exists());
    }

    #[test]
    fn a_watchdog_that_is_called_off_kills_nothing() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        drop(Watchdog::over(child.id(), "KILL", None));
        assert!(child.try_wait().unwrap().is_none(), "the child still runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
