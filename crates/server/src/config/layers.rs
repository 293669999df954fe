//! The layers of settings, laid over one another: which value holds, and where it comes from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::database::redacted;
use super::rules::{DATABASE_URL, RULES};
use super::{Config, DEFAULT, DatabaseUrl, Fault, Faults};

/// What the variables of the environment that are settings begin with.
const PREFIX: &str = "TOKENHOUSE__";
/// Below this likeness a suggestion confuses more than it helps.
const LIKE_ENOUGH: f64 = 0.8;

/// Where settings are read from, from the weakest to the strongest.
#[derive(Default)]
pub struct Sources {
    /// The file of `--config` or `TOKENHOUSE_CONFIG`.
    pub file: Option<PathBuf>,
    /// The whole environment.
    pub environment: Vec<(String, String)>,
    /// The flags that were given.
    pub flags: Vec<Flag>,
}

/// A setting given by a flag of the command line.
pub struct Flag {
    /// The key, e.g. `http.listen`.
    pub key: &'static str,
    /// The flag, e.g. `--listen`.
    pub name: &'static str,
    /// What was given.
    pub value: String,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `default.toml`, or made from other settings.
    Default,
    /// The settings file.
    File(PathBuf),
    /// A variable of the environment.
    Environment(String),
    /// A flag.
    Flag(&'static str),
}

impl Origin {
    /// One word: default, file, env or flag.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File(_) => "file",
            Self::Environment(_) => "env",
            Self::Flag(_) => "flag",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Environment(name) => write!(f, "env {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// The value that holds for a key.
#[derive(Clone, Debug)]
pub struct Entry {
    value: Value,
    /// Where it comes from.
    pub origin: Origin,
}

/// All settings after laying the layers over one another, with what was found wrong so far.
pub struct Layers {
    entries: BTreeMap<String, Entry>,
    faults: Vec<Fault>,
    environment: Vec<(String, String)>,
}

impl Layers {
    /// Reads every layer; what is wrong is kept for [`Layers::config`].
    pub fn read(sources: &Sources) -> Self {
        let mut layers =
            Self { entries: BTreeMap::new(), faults: Vec::new(), environment: sources.environment.clone() };
        match DEFAULT.parse::<Table>() {
            Ok(table) => layers.entries = entries(table),
            Err(error) => layers.faults.push(Fault::general(format!("the built-in defaults: {}", error.message()))),
        }
        if let Some(path) = &sources.file {
            layers.add_file(path);
        }
        for (name, value) in &sources.environment {
            if let Some(key) = name.strip_prefix(PREFIX) {
                layers.add_text(&key.to_lowercase().replace("__", "."), value, Origin::Environment(name.clone()));
            }
        }
        for flag in &sources.flags {
            layers.add_text(flag.key, &flag.value, Origin::Flag(flag.name));
        }
        layers.check();
        layers.derive();
        layers
    }

    /// The checked settings.
    ///
    /// # Errors
    /// Every fault of every layer.
    pub fn config(&self) -> Result<Config, Faults> {
        if !self.faults.is_empty() {
            return Err(Faults(self.faults.clone()));
        }
        let mut root = Table::new();
        for (key, entry) in &self.entries {
            insert(&mut root, key, entry.value.clone());
        }
        root.try_into().map_err(|error: toml::de::Error| Faults(vec![Fault::general(error.message())]))
    }

    /// Every key with the value that holds, as it may be shown.
    pub fn shown(&self) -> impl Iterator<Item = (&str, Value, &Origin)> {
        self.entries.iter().map(|(key, entry)| {
            let value = match &entry.value {
                Value::String(text) if key == DATABASE_URL => Value::String(redacted(text)),
                value => value.clone(),
            };
            (key.as_str(), value, &entry.origin)
        })
    }

    fn add_file(&mut self, path: &Path) {
        let origin = Origin::File(path.to_owned());
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return self.faults.push(Fault::general(format!("{origin} can't be read: {error}"))),
        };
        match text.parse::<Table>() {
            Ok(table) => self.add_table("", table, &origin),
            // The parser's own display would print the line, and with it perhaps the database's password.
            Err(error) => {
                let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
                let line = before.matches('\n').count() + 1;
                self.faults.push(Fault::general(format!("{origin}, line {line}: not TOML: {}", error.message())));
            }
        }
    }

    fn add_table(&mut self, prefix: &str, table: Table, origin: &Origin) {
        for (name, value) in table {
            let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
            match value {
                Value::Table(inner) if self.is_section(&key) => self.add_table(&key, inner, origin),
                value => self.add(&key, value, origin.clone()),
            }
        }
    }

    /// Whether keys begin with this name.
    fn is_section(&self, name: &str) -> bool {
        self.entries.keys().any(|key| key.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
    }

    /// Text takes the type that the default has.
    fn add_text(&mut self, key: &str, text: &str, origin: Origin) {
        let value = match self.entries.get(key).map(|entry| &entry.value) {
            Some(Value::Integer(_)) => text.trim().parse().map(Value::Integer).ok(),
            Some(Value::Array(_)) => {
                let members = text.split(',').map(str::trim).filter(|member| !member.is_empty());
                Some(Value::Array(members.map(|member| Value::String(member.to_owned())).collect()))
            }
            _ => None,
        };
        // A text that is no number is kept as text: the rule of the key will refuse it in its own words.
        self.add(key, value.unwrap_or_else(|| Value::String(text.to_owned())), origin);
    }

    fn add(&mut self, key: &str, value: Value, origin: Origin) {
        match self.entries.get_mut(key) {
            Some(entry) => *entry = Entry { value, origin },
            None => {
                let message = format!("unknown key ({origin}){}", self.hint(key));
                self.faults.push(Fault::of(key, message));
            }
        }
    }

    fn hint(&self, key: &str) -> String {
        if self.is_section(key) {
            let prefix = format!("{key}.");
            let keys: Vec<&str> =
                self.entries.keys().map(String::as_str).filter(|one| one.starts_with(&prefix)).collect();
            return format!("; {key} is a section, its keys are {}", keys.join(", "));
        }
        let likeness = |known: &str| {
            // The right name in the wrong section is as likely as a slip of the finger.
            let same_name = known.rsplit('.').next() == key.rsplit('.').next();
            if same_name { 1.0 } else { strsim::normalized_damerau_levenshtein(known, key) }
        };
        let known = self.entries.keys().map(|known| (likeness(known), known));
        match known.max_by(|(a, _), (b, _)| a.total_cmp(b)) {
            Some((likeness, known)) if likeness >= LIKE_ENOUGH => format!("; did you mean {known}?"),
            _ => String::new(),
        }
    }

    fn check(&mut self) {
        for rule in RULES {
            let Some(entry) = self.entries.get(rule.key) else { continue };
            if (rule.fits)(&entry.value) {
                continue;
            }
            let given = match &entry.value {
                Value::String(text) if text.is_empty() => "nothing".to_owned(),
                Value::String(text) if rule.key == DATABASE_URL => format!("\"{}\"", redacted(text)),
                // A value of another type than text can hold the password as well.
                _ if rule.key == DATABASE_URL => "not a text".to_owned(),
                value => value.to_string(),
            };
            let message = format!("{given} given ({}); allowed: {}", entry.origin, rule.allowed);
            self.faults.push(Fault::of(rule.key, message));
        }
        self.both_or_none("http.tls.certificate", "http.tls.key");
        self.both_or_none("gate.listen", "gate.org");
        self.both_or_none("wavefront.upstream", "wavefront.upstream_token_file");
        if !self.text("keys.master_file").is_empty() && !self.text("keys.master_env").is_empty() {
            let message = "given beside keys.master_env; allowed: at most one of the two";
            self.faults.push(Fault::of("keys.master_file", message));
        }
    }

    fn both_or_none(&mut self, one: &str, other: &str) {
        let (missing, given) = match (self.text(one).is_empty(), self.text(other).is_empty()) {
            (false, true) => (other, one),
            (true, false) => (one, other),
            _ => return,
        };
        self.faults.push(Fault::of(missing, format!("nothing given, but {given} is; allowed: both or none")));
    }

    /// Fills in what is made from other settings, so that `config show` tells what will be used.
    fn derive(&mut self) {
        if self.text("data.dir").is_empty() {
            let dir = self.default_folder().display().to_string();
            self.fill("data.dir", dir);
        }
        if self.text("ledger.journal").is_empty() {
            let journal = Path::new(self.text("data.dir")).join("journal").display().to_string();
            self.fill("ledger.journal", journal);
        }
    }

    fn default_folder(&self) -> PathBuf {
        let url = DatabaseUrl::try_from(self.text(DATABASE_URL).to_owned());
        if let Some(file) = url.ok().and_then(|url| url.sqlite_file()) {
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
            return folder.unwrap_or(Path::new(".")).to_owned();
        }
        let folder = |name: &str| {
            let found = self.environment.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| PathBuf::from(value)).filter(|path| path.is_absolute())
        };
        folder("XDG_STATE_HOME")
            .or_else(|| folder("HOME").map(|home| home.join(".local/state")))
            .unwrap_or_else(|| PathBuf::from("/var/lib"))
            .join("tokenhouse")
    }

    fn fill(&mut self, key: &str, text: String) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.value = Value::String(text);
        }
    }

    fn text(&self, key: &str) -> &str {
        self.entries.get(key).and_then(|entry| entry.value.as_str()).unwrap_or_default()
    }
}

fn entries(table: Table) -> BTreeMap<String, Entry> {
    let mut found = BTreeMap::new();
    let mut open = vec![(String::new(), table)];
    while let Some((prefix, table)) = open.pop() {
        for (name, value) in table {
            let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
            match value {
                Value::Table(inner) => open.push((key, inner)),
                value => _ = found.insert(key, Entry { value, origin: Origin::Default }),
            }
        }
    }
    found
}

fn insert(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => _ = table.insert(key.to_owned(), value),
        Some((section, rest)) => {
            let inner = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}
