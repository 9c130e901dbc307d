//! Collects the text of each setting from defaults, file, environment and flags, the later winning over the earlier.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use sitewatch_domain::text::Secret;

use super::{
    faults::{Fault, Origin},
    file,
    overrides::Overrides,
    settings::{
        self, BIND, CONFIG_VARIABLE, DATA_DIR, DATABASE_URL, Found, LOG, LOG_FORMAT, OF_COMMANDS, PREFIX,
    },
    suggest,
};

/// The embedded default, which documents every setting.
pub(super) const DEFAULTS: &str = include_str!("../default.toml");
/// The settings file that is read without being asked for, if it is there.
const USUAL_FILE: &str = "sitewatch.toml";
/// More is no settings file and no secret; reading on could fill the memory.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The text of one setting and where it was found.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) text: Secret<String>,
    pub(super) origin: Origin,
}

/// The texts of all settings that were given anywhere, by key.
pub(super) type Texts = BTreeMap<&'static str, Given>;

/// What was collected.
pub(super) struct Collected {
    pub(super) texts: Texts,
    pub(super) file: Option<PathBuf>,
    pub(super) faults: Vec<Fault>,
}

/// Collects from all layers. The environment is an argument; files are read.
pub(super) fn collect(
    flags: &Overrides,
    variables: BTreeMap<OsString, OsString>,
    directory: &Path,
) -> Collected {
    let mut faults = Vec::new();
    let mut texts = Texts::new();
    let mut next = |layer: Layer<'_>| {
        texts.extend(layer.texts);
        faults.extend(layer.faults);
    };

    let mut defaults = Layer::new(directory);
    file::read(DEFAULTS, &|_| Origin::Default, &mut defaults);
    next(defaults);

    let mut from_file = Layer::new(directory);
    let path = settings_file(flags, &variables, directory, &mut from_file);
    next(from_file);

    let mut from_environment = Layer::new(directory);
    for (name, value) in variables {
        from_environment.variable(&name, value);
    }
    next(from_environment);

    let mut from_flags = Layer::new(directory);
    from_flags.flags(flags);
    next(from_flags);

    Collected { texts, file: path, faults }
}

/// Reads the settings file, if there is one, and tells which.
fn settings_file(
    flags: &Overrides,
    variables: &BTreeMap<OsString, OsString>,
    directory: &Path,
    layer: &mut Layer<'_>,
) -> Option<PathBuf> {
    let by_flag = flags.config.clone().map(|path| ("--config", path));
    let by_variable = || {
        let value = variables.get(&OsString::from(CONFIG_VARIABLE))?;
        Some((CONFIG_VARIABLE, PathBuf::from(value)))
    };
    let (key, path) = by_flag.or_else(by_variable).unwrap_or((USUAL_FILE, PathBuf::from(USUAL_FILE)));
    if path.as_os_str().is_empty() {
        return None;
    }
    match read_text(&directory.join(&path)) {
        Ok(text) => {
            file::read(text.expose(), &|line| Origin::File { path: path.clone(), line }, layer);
            Some(path)
        }
        Err(error) if key == USUAL_FILE && error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            let problem = if key == USUAL_FILE {
                format!("cannot be read: {error}")
            } else {
                format!("names {}, which cannot be read: {error}", path.display())
            };
            layer.faults.push(Fault {
                key: key.to_owned(),
                value: None,
                origin: None,
                problem,
                remedy: "name a readable TOML file of at most 1 MiB".into(),
            });
            None
        }
    }
}

/// What one source gave.
pub(super) struct Layer<'a> {
    directory: &'a Path,
    texts: Texts,
    pub(super) faults: Vec<Fault>,
}

impl<'a> Layer<'a> {
    fn new(directory: &'a Path) -> Self {
        Self { directory, texts: Texts::new(), faults: Vec::new() }
    }

    /// Takes a setting, or reads the file that its `…_file` twin names. The same setting twice in one source is a fault.
    pub(super) fn put(&mut self, found: Found, text: Secret<String>, origin: Origin) {
        let key = found.setting.key;
        let given =
            if found.by_file { self.read_secret(key, &text, origin) } else { Some(Given { text, origin }) };
        let Some(given) = given else { return };
        if let Some(earlier) = self.texts.get(key) {
            let problem = format!("is given a second time by {}", given.origin);
            let origin = earlier.origin.clone();
            self.fault(key, Some(origin), problem, "keep one of the two".into());
            return;
        }
        self.texts.insert(key, given);
    }

    fn read_secret(&mut self, key: &str, path: &Secret<String>, named_by: Origin) -> Option<Given> {
        if path.expose().is_empty() {
            let problem = "names no file".to_owned();
            self.fault(
                key,
                Some(named_by),
                problem,
                "name the file that holds the secret, or remove it".into(),
            );
            return None;
        }
        let path = PathBuf::from(path.expose());
        let read = read_text(&self.directory.join(&path));
        let origin = Origin::SecretFile { named_by: Box::new(named_by), path };
        match read {
            Ok(text) => Some(Given { text: Secret::new(text.expose().trim().to_owned()), origin }),
            Err(error) => {
                let problem = format!("cannot be read from its file: {error}");
                self.fault(
                    key,
                    Some(origin),
                    problem,
                    "name a readable text file that holds the secret alone".into(),
                );
                None
            }
        }
    }

    /// Notes a fault.
    pub(super) fn fault(&mut self, key: &str, origin: Option<Origin>, problem: String, remedy: String) {
        self.faults.push(Fault { key: key.to_owned(), value: None, origin, problem, remedy });
    }

    fn variable(&mut self, name: &OsString, value: OsString) {
        let name = name.to_string_lossy();
        let is_setting =
            name.starts_with(PREFIX) && name != CONFIG_VARIABLE && !OF_COMMANDS.contains(&&*name);
        if !is_setting {
            return;
        }
        let origin = Origin::Variable(name.clone().into_owned());
        match (settings::by_variable(&name), value.into_string()) {
            (Some(found), Ok(text)) => self.put(found, Secret::new(text), origin),
            (Some(found), Err(_)) => {
                self.fault(
                    found.setting.key,
                    Some(origin),
                    "is not UTF-8".into(),
                    "give it as UTF-8 text".into(),
                );
            }
            (None, Ok(text)) if is_service_link(&name, &text) => {}
            (None, _) => {
                let remedy = remedy(suggest::variable(&name), "remove it; no variable of that name is known");
                self.fault(&name.escape_debug().to_string(), None, "is not a setting".into(), remedy);
            }
        }
    }

    fn flags(&mut self, flags: &Overrides) {
        let url = flags.database_url.as_ref().map(Secret::expose);
        let named = [
            ("--bind", &BIND.setting, flags.bind.as_ref()),
            ("--data-dir", &DATA_DIR.setting, flags.data_dir.as_ref()),
            ("--database-url", &DATABASE_URL.setting, url),
            ("--log", &LOG.setting, flags.log.as_ref()),
            ("--log-format", &LOG_FORMAT.setting, flags.log_format.as_ref()),
        ];
        for (flag, setting, value) in named {
            if let Some(value) = value {
                let found = Found { setting, by_file: false };
                self.put(found, Secret::new(value.clone()), Origin::Flag(flag.into()));
            }
        }
        for assignment in &flags.set {
            self.assignment(assignment.expose());
        }
    }

    fn assignment(&mut self, text: &str) {
        let Some((name, value)) = text.split_once('=') else {
            // What stands there may be a secret whose key was forgotten.
            self.fault("--set", None, "has no equals sign".into(), "write --set section.key=value".into());
            return;
        };
        let origin = Origin::Flag("--set".into());
        match settings::by_key(name) {
            Some(found) => self.put(found, Secret::new(value.to_owned()), origin),
            None => self.unknown_key(name, origin),
        }
    }

    /// A file key that is no setting.
    pub(super) fn unknown_key(&mut self, name: &str, origin: Origin) {
        if settings::is_section(name) {
            let remedy = format!("write its keys below a line [{name}]");
            self.fault(name, Some(origin), "is a section, not a setting".into(), remedy);
            return;
        }
        let remedy = remedy(suggest::key(name), "remove it; `sitewatch-api config show` lists all settings");
        self.fault(&name.escape_debug().to_string(), Some(origin), "is not a setting".into(), remedy);
    }
}

fn remedy(meant: Option<String>, otherwise: &str) -> String {
    meant.map_or_else(|| otherwise.to_owned(), |meant| format!("did you mean {meant}?"))
}

/// Whether a variable is one that Kubernetes puts into every container beside a service whose name begins with `sitewatch`:
/// nobody wrote it, so it must not stop the start.
fn is_service_link(name: &str, value: &str) -> bool {
    let is_url = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    let port_of_protocol =
        name.rsplit_once("_PORT_").is_some_and(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit()));
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || (name.ends_with("_PORT") && is_url)
        || port_of_protocol
}

fn read_text(path: &Path) -> io::Result<Secret<String>> {
    let mut text = String::new();
    let read = File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_string(&mut text);
    // Closed before the size is looked at, so that a half-read secret is wiped as well.
    let text = Secret::new(text);
    if u64::try_from(read?).unwrap_or(u64::MAX) > MAX_FILE_BYTES {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    Ok(text)
}
