//! A folder, and `raddle batch` run in it.
#![allow(dead_code)]

use serde_json::Value as Json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/programs");

/// A folder for one test.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Folder {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("batch-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.0.join(name), bytes).unwrap();
    }

    pub fn get(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.join(name).exists()
    }

    pub fn command(&self, module: &str, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_raddle"));
        command.current_dir(&self.0).arg("batch").arg(format!("--module={PROGRAMS}/{module}.vmfb"));
        command.args(line.split_whitespace());
        command
    }

    pub fn run(&self, module: &str, line: &str) -> Output {
        self.command(module, line).stdin(Stdio::null()).output().unwrap()
    }

    /// The same while no file may be longer, which stands in for a full disk. Unit: that of ulimit, 512 bytes.
    pub fn run_on_a_small_disk(&self, module: &str, line: &str, blocks: u32) -> Output {
        let batch = self.command(module, line);
        let mut command = Command::new("sh");
        command.current_dir(&self.0).args([
            "-c",
            &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\""),
            "sh",
        ]);
        command.arg(batch.get_program()).args(batch.get_args()).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs it and expects this exit code; what it wrote to standard output and standard error.
    pub fn check(&self, module: &str, line: &str, code: i32) -> (String, String) {
        let output = self.run(module, line);
        let [out, told] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(output.status.code(), Some(code), "{line}: {out}{told}");
        (out, told)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Steps of a number down to 1, which `visits` counts.
pub fn steps(mut number: u64) -> u64 {
    let mut count = 0;
    while number > 1 {
        number = if number.is_multiple_of(2) { number / 2 } else { 3 * number + 1 };
        count += 1;
    }
    count
}

/// Each line as JSON.
pub fn lines(text: &str) -> Vec<Json> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// An `.npy` file of version 1.
pub fn npy(descr: &str, shape: &str, bytes: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    while (header.len() + 11) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(bytes);
    file
}
