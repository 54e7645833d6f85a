//! Long flags, as every verb reads them.
//!
//! Not here: which flags there are; each verb asks for its own, and what nobody asked for is an error.

use raddle_status::{Code, Error, Result};
use std::ffi::{OsStr, OsString};
use std::time::Duration;

/// The arguments of a verb.
pub struct Flags {
    /// Name and, behind a `=`, value.
    flags: Vec<(String, Option<OsString>)>,
    files: Vec<OsString>,
}

impl Flags {
    /// Splits the arguments; prints `help` and returns `None` if they ask for it.
    pub fn parse(arguments: &[OsString], help: &str) -> Result<Option<Flags>> {
        let mut parsed = Flags { flags: Vec::new(), files: Vec::new() };
        for argument in arguments {
            match argument.to_string_lossy().strip_prefix("--") {
                Some("help") => {
                    print!("{help}");
                    return Ok(None);
                }
                Some(_) => parsed.flags.push(split(argument)?),
                None => parsed.files.push(argument.clone()),
            }
        }
        Ok(Some(parsed))
    }

    /// Whether this flag was given, without a value.
    pub fn switch(&mut self, name: &str) -> bool {
        let before = self.flags.len();
        self.flags.retain(|(flag, value)| flag != name || value.is_some());
        self.flags.len() < before
    }

    /// Whether this flag was given without a value or as true, as stock reads flags that are on or off.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: its value is neither.
    pub fn boolean(&mut self, name: &str) -> Result<bool> {
        let is_given = self.switch(name);
        match self.texts(name)?.pop().as_deref() {
            None => Ok(is_given),
            Some("true" | "1") => Ok(true),
            Some("false" | "0" | "") => Ok(false),
            Some(other) => {
                Err(Error::new(Code::InvalidArgument, format!("{name} is true or false, not '{other}'")))
            }
        }
    }

    /// The last value that was given for this flag.
    pub fn value(&mut self, name: &str) -> Option<OsString> {
        self.values(name).pop()
    }

    /// All values that were given for this flag, in order.
    pub fn values(&mut self, name: &str) -> Vec<OsString> {
        let mut all = Vec::new();
        self.flags.retain_mut(|(flag, value)| {
            let mine = flag == name && value.is_some();
            if mine {
                all.extend(value.take());
            }
            !mine
        });
        all
    }

    /// All values that were given for this flag, which must be text.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: a value is not UTF-8.
    pub fn texts(&mut self, name: &str) -> Result<Vec<String>> {
        let text = |value: OsString| {
            let invalid = |_| Error::new(Code::InvalidArgument, format!("the value of {name} is not UTF-8"));
            value.into_string().map_err(invalid)
        };
        self.values(name).into_iter().map(text).collect()
    }

    /// The last value that was given for this flag, as a number or whatever else can be read.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: it can't be read.
    pub fn parsed<T: std::str::FromStr>(&mut self, name: &str) -> Result<Option<T>> {
        let Some(text) = self.texts(name)?.pop() else { return Ok(None) };
        let parsed = text.parse();
        parsed.map(Some).map_err(|_| Error::new(Code::InvalidArgument, format!("{name} can't be '{text}'")))
    }

    /// The last value that was given for this flag, as a time: `30s`, `500ms`, `2m`, `1h`, or a number of seconds.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: it can't be read, or is no time that can pass.
    pub fn time(&mut self, name: &str) -> Result<Option<Duration>> {
        let Some(text) = self.texts(name)?.pop() else { return Ok(None) };
        let units = [("ms", 1e-3), ("us", 1e-6), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("", 1.0)];
        let number = units.iter().find_map(|(unit, seconds)| {
            let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
            Duration::try_from_secs_f64(number * seconds).ok().filter(|time| !time.is_zero())
        });
        let text = || format!("{name} is a time such as 30s, 500ms or 2m, not '{text}'");
        number.map(Some).ok_or_else(|| Error::new(Code::InvalidArgument, text()))
    }

    /// Takes the flags that nobody has asked for.
    pub fn take_rest(&mut self) -> Vec<(String, Option<OsString>)> {
        std::mem::take(&mut self.flags)
    }

    /// Gives flags that nobody has asked for back.
    pub fn put_back(&mut self, flags: Vec<(String, Option<OsString>)>) {
        self.flags = flags;
    }

    /// The one file, once all flags have been asked for.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for a flag that nobody asked for, and for none or several files.
    pub fn file(mut self) -> Result<OsString> {
        self.refuse_rest()?;
        let count = self.files.len();
        match <[OsString; 1]>::try_from(self.files) {
            Ok([file]) => Ok(file),
            Err(_) => Err(Error::new(Code::InvalidArgument, format!("one file expected, {count} given"))),
        }
    }

    /// Checks that no file is named, once all flags have been asked for.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for a flag that nobody asked for, and for a file.
    pub fn no_file(mut self) -> Result {
        self.refuse_rest()?;
        match self.files.first() {
            Some(file) => {
                let text =
                    format!("'{}' is no flag; modules are named by --module=FILE", file.to_string_lossy());
                Err(Error::new(Code::InvalidArgument, text))
            }
            None => Ok(()),
        }
    }

    fn refuse_rest(&mut self) -> Result {
        let Some((flag, value)) = self.flags.first() else { return Ok(()) };
        let hint = if value.is_some() { "" } else { ", or it needs a value: --flag=value" };
        Err(Error::new(Code::InvalidArgument, format!("there is no flag {flag}{hint}")))
    }
}

fn split(argument: &OsStr) -> Result<(String, Option<OsString>)> {
    let text = argument
        .to_str()
        .ok_or_else(|| Error::new(Code::InvalidArgument, "a flag is not UTF-8; name files without a flag"))?;
    Ok(match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.into())),
        None => (text.to_owned(), None),
    })
}
