//! `devices.*` and what devices are asked.

use super::{Builder, Hal, text};
use crate::allocator::Allocator;
use crate::device::Device;
use raddle_status::Result;
use raddle_vm::{Buffer as Bytes, RefOf};

pub(super) fn add(builder: Builder) -> Builder {
    builder
        .function("devices.count", |hal: &Hal| Ok(hal.devices.len() as i32))
        .function("devices.get", |hal: &Hal, index: u32| Ok(hal.devices.get(index as usize).cloned()))
        .function("device.allocator", |_: &Hal, device: &Device| Ok(allocator(device)))
        .function("device.query.i64", query)
}

fn allocator(device: &Device) -> RefOf<Allocator> {
    device.0.allocator_object.clone()
}

/// Answers, or says that it has no answer; never fails for want of one.
fn query(_: &Hal, device: &Device, category: &Bytes, key: &Bytes) -> Result<(bool, i64)> {
    let answer = match (text(category), text(key)) {
        (Ok(category), Ok(key)) => device.query(&category, &key),
        _ => None,
    };
    Ok((answer.is_some(), answer.unwrap_or(0)))
}

impl Device {
    /// What a program is told that asks for this; `None` for no answer.
    pub fn query(&self, category: &str, key: &str) -> Option<i64> {
        match (category, key) {
            ("hal.device.id", pattern) => Some(matches(pattern.as_bytes(), self.id().as_bytes()).into()),
            ("hal.executable.format", format) => self.0.takes_format(format).then_some(1),
            ("hal.device", "concurrency") => Some(1),
            ("hal.dispatch", "concurrency") => Some(self.0.worker_count() as i64),
            ("hal.cpu", feature) => self.0.executables.features.has(feature).map(i64::from),
            _ => None,
        }
    }
}

/// Whether the text fits a pattern in which `*` stands for anything and `?` for one byte.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    // Where to try again: behind the last star, one byte further in the text.
    let mut again = None;
    while from < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                again = Some((at + 1, from));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[from] => (at, from) = (at + 1, from + 1),
            _ => match again {
                None => return false,
                Some((star, start)) => {
                    again = Some((star, start + 1));
                    (at, from) = (star, start + 1);
                }
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_have_stars_and_question_marks() {
        let fits = |pattern: &str, text: &str| matches(pattern.as_bytes(), text.as_bytes());
        assert!(fits("local*", "local-task") && fits("*", "") && fits("l?c*-*k", "local-task"));
        assert!(fits("local", "local") && fits("*sync", "local-sync") && fits("a*b*c", "aXbYbZc"));
        assert!(
            !fits("local", "local-task") && !fits("cuda*", "local") && !fits("?", "") && !fits("a*b", "abc")
        );
    }
}
