//! Prometheus' own judge of figures and rules.

use std::{
    collections::BTreeSet,
    io::Write as _,
    process::{Command, Stdio},
};

/// Judges what a program tells; its complaints.
pub fn check_metrics(figures: &str) -> Result<(), String> {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, which `make test` installs");
    promtool.stdin.take().expect("a pipe").write_all(figures.as_bytes()).expect("promtool reads");
    verdict(&promtool.wait_with_output().expect("promtool ends"))
}

/// Judges a file of rules.
pub fn check_rules(rules: &std::path::Path) -> Result<(), String> {
    let output = Command::new("promtool").args(["check", "rules"]).arg(rules).output();
    verdict(&output.expect("promtool, which `make test` installs"))
}

fn verdict(output: &std::process::Output) -> Result<(), String> {
    let said =
        [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said).into_owned()).concat();
    if output.status.success() { Ok(()) } else { Err(said) }
}

/// The names of figures that an expression uses.
pub fn names_in(expression: &str) -> BTreeSet<String> {
    const WORDS: [&str; 8] = ["and", "or", "unless", "on", "ignoring", "bool", "offset", "inf"];
    let mut names = BTreeSet::new();
    let mut rest = expression;
    while let Some(start) =
        rest.find(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '{' || c == '"' || c == '[')
    {
        let from = &rest[start..];
        let closing = match from.as_bytes()[0] {
            b'{' => Some('}'),
            b'"' => Some('"'),
            b'[' => Some(']'),
            _ => None,
        };
        if let Some(closing) = closing {
            rest = from[1..].split_once(closing).map_or("", |(_, after)| after);
            continue;
        }
        let end =
            from.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).unwrap_or(from.len());
        let (word, after) = from.split_at(end);
        rest = after;
        let after = after.trim_start();
        let opens = ["(", "by ", "by(", "without "].iter().any(|next| after.starts_with(next));
        if word == "by" || word == "without" {
            rest = after.split_once(')').map_or("", |(_, after)| after);
        } else if !opens && !WORDS.contains(&word) {
            names.insert(word.to_owned());
        }
    }
    names
}
