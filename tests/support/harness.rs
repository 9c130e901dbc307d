//! One binary per suite: services start once, cases run side by side, everything is stopped at the end.
//!
//! A suite's `main.rs` says which variants there are and lists the cases; each case runs once per variant and is
//! named after it, as in `postgres::resources::includes_embed`, so that `cargo test --test api -- sqlite::resources`
//! picks some:
//!
//! ```no_run
//! use std::{process::ExitCode, sync::Arc};
//!
//! use sitewatch_tests::{cases, harness::Suite};
//!
//! struct Backend;
//!
//! async fn create(_backend: Arc<Backend>) {}
//!
//! fn main() -> ExitCode {
//!     let mut suite = Suite::new();
//!     suite.variant("sqlite", Backend);
//!     cases!(suite, "sites": create);
//!     suite.run()
//! }
//! ```

use std::{
    any::Any,
    cell::{Cell, RefCell},
    num::NonZero,
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    sync::{Arc, Once},
    time::Duration,
};

use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;

/// How long one case may take before it fails; a case that hangs must not hold up the run.
pub const TIME_LIMIT: Duration = Duration::from_mins(5);

/// Cases over one or more variants `C`, each with what its cases need: a backend, a server, a browser.
///
/// Variants are made before any case is picked, so they start their services when a case first asks for them.
pub struct Suite<C> {
    runtime: Arc<Runtime>,
    variants: Vec<(&'static str, Arc<C>)>,
    trials: Vec<Trial>,
    time_limit: Duration,
}

impl<C: Send + Sync + 'static> Suite<C> {
    /// A suite without variants and cases.
    #[expect(clippy::new_without_default, reason = "a suite is made once, in main")]
    pub fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a tokio runtime");
        Self { runtime: Arc::new(runtime), variants: Vec::new(), trials: Vec::new(), time_limit: TIME_LIMIT }
    }

    /// Adds a variant; its name comes first in the names of its cases. Variants come before cases.
    pub fn variant(&mut self, name: &'static str, context: C) {
        self.variants.push((name, Arc::new(context)));
    }

    /// Gives the cases that are added from now on another time limit than [`TIME_LIMIT`].
    pub fn time_limit(&mut self, limit: Duration) {
        self.time_limit = limit;
    }

    /// Adds a case to every variant. It runs on the suite's multi-thread runtime, and fails by panicking.
    pub fn case<F, Fut>(&mut self, name: &str, case: F)
    where
        F: Fn(Arc<C>) -> Fut + Copy + Send + 'static,
        Fut: Future<Output = ()>,
    {
        assert!(!self.variants.is_empty(), "the case {name} was added before any variant");
        for (variant, context) in self.variants.clone() {
            self.add(variant, context, name, case);
        }
    }

    /// Adds a case to one variant, for what the others do not have.
    pub fn case_on<F, Fut>(&mut self, variant: &str, name: &str, case: F)
    where
        F: Fn(Arc<C>) -> Fut + Copy + Send + 'static,
        Fut: Future<Output = ()>,
    {
        let found = self.variants.iter().find(|(known, _)| *known == variant).cloned();
        let (variant, context) =
            found.unwrap_or_else(|| panic!("the case {name} is for no variant: {variant}"));
        self.add(variant, context, name, case);
    }

    fn add<F, Fut>(&mut self, variant: &str, context: Arc<C>, name: &str, case: F)
    where
        F: Fn(Arc<C>) -> Fut + Copy + Send + 'static,
        Fut: Future<Output = ()>,
    {
        let (runtime, limit) = (Arc::clone(&self.runtime), self.time_limit);
        self.trials.push(Trial::test(format!("{variant}::{name}"), move || {
            // The case itself is polled by this thread, so that it need not be `Send`.
            let limited = async { tokio::time::timeout(limit, Box::pin(case(context))).await };
            IS_CASE.set(true);
            match catch_unwind(AssertUnwindSafe(|| runtime.block_on(limited))) {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_elapsed)) => Err(Failed::from(format!("not done within {} s", limit.as_secs()))),
                Err(payload) => Err(Failed::from(report(payload.as_ref()))),
            }
        }));
    }

    /// Runs the cases that the command line picks, as `cargo test` users know it, and stops the variants' services.
    ///
    /// Cases mostly wait, so twice as many run at a time as there are processors; `--test-threads` says otherwise.
    pub fn run(self) -> ExitCode {
        remember_panics();
        let mut arguments = Arguments::from_args();
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        arguments.test_threads.get_or_insert(processors * 2);
        let conclusion = libtest_mimic::run(&arguments, self.trials);
        // Contexts may hold handles of the runtime: they go first, and stop their services while it still runs.
        let entered = self.runtime.enter();
        drop(self.variants);
        drop(entered);
        if let Some(runtime) = Arc::into_inner(self.runtime) {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
        conclusion.exit_code()
    }
}

/// Whether the thorough run was asked for (`make verify-long`): more repetitions, larger amounts.
#[expect(clippy::disallowed_methods, reason = "the switches of the tests come from the environment")]
pub fn is_long_run() -> bool {
    std::env::var_os("SITEWATCH_TEST_LONG").is_some_and(|value| value == "1")
}

/// Whether every world on PostgreSQL is to have row level security (`SITEWATCH_TEST_WALL=1`).
#[expect(clippy::disallowed_methods, reason = "the switches of the tests come from the environment")]
pub fn is_walled_run() -> bool {
    std::env::var_os("SITEWATCH_TEST_WALL").is_some_and(|value| value == "1")
}

thread_local! {
    static IS_CASE: Cell<bool> = const { Cell::new(false) };
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Keeps where and why a case's thread panicked for the report, instead of printing it between other cases' lines.
fn remember_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            // Only a case's own thread has a report to put it into; those of servers and pools print as usual.
            if IS_CASE.get() {
                LAST_PANIC.with_borrow_mut(|last| *last = Some(panic.to_string()));
            } else {
                print(panic);
            }
        }));
    });
}

fn report(payload: &(dyn Any + Send)) -> String {
    let remembered = LAST_PANIC.with_borrow_mut(Option::take);
    let message =
        || payload.downcast_ref::<&str>().map(ToString::to_string).or(payload.downcast_ref().cloned());
    remembered.or_else(message).unwrap_or_else(|| "panicked without a message".to_owned())
}

/// Adds the named async functions to a [`Suite`] as cases of one module: `cases!(suite, "sites": create, list)`.
#[macro_export]
macro_rules! cases {
    ($suite:expr, $module:literal: $($case:ident),+ $(,)?) => {
        $($suite.case(concat!($module, "::", stringify!($case)), $case);)+
    };
}
