//! A mail server for tests: takes everything, unless a test has it refuse, hang or hang up.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::Instant,
};

/// What the next mail to a recipient meets; after all that were told, mails are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is taken.
    Take,
    /// This line to `MAIL FROM`.
    ToSender(&'static str),
    /// This line to `RCPT TO`.
    ToRecipient(&'static str),
    /// This line after the whole mail.
    ToMail(&'static str),
    /// Nothing after the whole mail, for ever.
    Hang,
    /// It is taken, but not before [`SmtpSink::release`].
    Hold,
    /// The whole mail is kept, and the connection cut before that is said.
    CutBefore250,
    /// The connection is cut as soon as it is said.
    CutAfter250,
}

/// A mail that arrived as a whole, whatever was said to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// From the envelope.
    pub from: String,
    /// From the envelope.
    pub to: String,
    /// Head and body.
    pub text: String,
}

impl Arrived {
    /// A header, without its name.
    pub fn header(&self, name: &str) -> &str {
        let begins = format!("{name}: ");
        self.text.lines().find_map(|line| line.strip_prefix(&begins)).unwrap_or_default()
    }
}

#[derive(Default)]
struct State {
    script: HashMap<String, VecDeque<Answer>>,
    arrived: Vec<Arrived>,
    /// Recipients of all mails that were begun.
    begun: Vec<String>,
    released: Arc<Notify>,
}

/// The server; it ends when it is dropped.
pub struct SmtpSink {
    state: Arc<Mutex<State>>,
    port: u16,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for SmtpSink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl SmtpSink {
    /// Starts it on a free port of 127.0.0.1.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                // Whatever a client breaks off is its own business.
                tokio::spawn(async move { drop(converse(connection, &state).await) });
            }
        });
        Self { state, port, task }
    }

    /// Its URL; `more` follows the port: `?timeout_s=2`.
    pub fn url(&self, more: &str) -> String {
        format!("smtp://127.0.0.1:{}{more}", self.port)
    }

    /// What the next mails to a recipient meet, in order.
    pub fn script(&self, recipient: &str, answers: &[Answer]) {
        locked(&self.state).script.entry(recipient.to_owned()).or_default().extend(answers);
    }

    /// Lets one mail go on that is held, or the next one that will be.
    pub fn release(&self) {
        locked(&self.state).released.notify_one();
    }

    /// All mails that arrived, in order.
    pub fn arrived(&self) -> Vec<Arrived> {
        locked(&self.state).arrived.clone()
    }

    /// How often a mail to this recipient was begun.
    pub fn begun(&self, recipient: &str) -> usize {
        locked(&self.state).begun.iter().filter(|begun| *begun == recipient).count()
    }

    /// How often each Message-ID arrived.
    pub fn by_message_id(&self) -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        for mail in self.arrived() {
            *counts.entry(mail.header("Message-ID").to_owned()).or_default() += 1;
        }
        counts
    }

    /// Waits until so many mails have arrived; panics if that takes too long.
    pub async fn wait_for(&self, count: usize, patience: Duration) {
        let give_up = Instant::now() + patience;
        while self.arrived().len() < count {
            assert!(Instant::now() < give_up, "{} of {count} mails arrived", self.arrived().len());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("no panic while the state is held")
}

/// The address between `<` and `>`.
fn address(line: &str) -> String {
    let inner = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or_else(String::new, |(address, _)| address.to_owned())
}

async fn converse(mut connection: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let (reading, mut writing) = connection.split();
    let mut lines = BufReader::new(reading).lines();
    writing.write_all(b"220 sink ready\r\n").await?;
    let (mut from, mut to, mut answer) = (String::new(), String::new(), Answer::Take);
    while let Some(line) = lines.next_line().await? {
        let verb = line.to_ascii_uppercase();
        let reply = if verb.starts_with("EHLO") {
            "250-sink\r\n250-8BITMIME\r\n250-AUTH PLAIN LOGIN\r\n250 ENHANCEDSTATUSCODES".to_owned()
        } else if verb.starts_with("AUTH PLAIN ") {
            "235 2.7.0 whoever you are".to_owned()
        } else if verb.starts_with("MAIL FROM") {
            from = address(&line);
            // Who gets it is not known yet, so that the refusal of a sender is told under the sender's name.
            match take(state, &from) {
                Answer::ToSender(reply) => reply.to_owned(),
                _ => "250 2.1.0 ok".to_owned(),
            }
        } else if verb.starts_with("RCPT TO") {
            to = address(&line);
            locked(state).begun.push(to.clone());
            answer = take(state, &to);
            match answer {
                Answer::ToRecipient(reply) => reply.to_owned(),
                _ => "250 2.1.5 ok".to_owned(),
            }
        } else if verb == "DATA" {
            writing.write_all(b"354 go on\r\n").await?;
            let mut text = String::new();
            while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                text.push_str(line.strip_prefix('.').unwrap_or(&line));
                text.push('\n');
            }
            locked(state).arrived.push(Arrived { from: from.clone(), to: to.clone(), text });
            match answer {
                Answer::Hang => std::future::pending::<()>().await,
                Answer::Hold => {
                    let released = Arc::clone(&locked(state).released);
                    released.notified().await;
                }
                Answer::CutBefore250 => return Ok(()),
                Answer::CutAfter250 => return writing.write_all(b"250 2.0.0 taken\r\n").await,
                _ => {}
            }
            match answer {
                Answer::ToMail(reply) => reply.to_owned(),
                _ => "250 2.0.0 taken".to_owned(),
            }
        } else if verb == "QUIT" {
            return writing.write_all(b"221 2.0.0 bye\r\n").await;
        } else {
            "502 5.5.1 not here".to_owned()
        };
        writing.write_all(format!("{reply}\r\n").as_bytes()).await?;
    }
    Ok(())
}

fn take(state: &Mutex<State>, name: &str) -> Answer {
    let mut state = locked(state);
    state.script.get_mut(name).and_then(VecDeque::pop_front).unwrap_or(Answer::Take)
}
