//! What a test's database was asked, as PostgreSQL itself wrote it down.

use crate::postgres::DatabaseCopy;

impl DatabaseCopy {
    /// Has the server note every statement of sessions that begin from now on.
    pub async fn note_statements(&self) {
        let name = self.name();
        self.server().execute(&format!("ALTER DATABASE {name} SET log_statement = 'all'")).await;
        self.server().execute(&format!("ALTER DATABASE {name} SET log_parameter_max_length = 0")).await;
    }

    /// The statements noted so far, in order. PostgreSQL notes a statement before it runs it, so that those of an answered
    /// request are all there.
    pub fn noted_statements(&self) -> Vec<String> {
        let of_this = format!("] {} LOG:  ", self.name());
        let log = self.server().log();
        let notes = log.lines().filter_map(|line| line.split_once(&of_this)).map(|(_, note)| note);
        let statements = notes.filter(|note| note.starts_with("execute ") || note.starts_with("statement: "));
        statements
            .filter_map(|note| note.split_once(": "))
            .map(|(_, statement)| statement.to_owned())
            .collect()
    }
}
