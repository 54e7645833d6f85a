//! What a user sees of `raddle batch` on a terminal, and what modules see of the world.

mod support;

use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value as Json;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Stdio};
use support::{Folder, npy};

/// One item ends at once, the other after an hour.
fn slow(folder: &Folder) -> &'static str {
    let delays: Vec<u8> = [0, 3_600_000_000_000_i64].into_iter().flat_map(i64::to_le_bytes).collect();
    folder.put("delays.npy", npy("<i8", "(2,)", &delays));
    "--function=delay --input=delays.npy --input=1 --output=out.jsonl --start-over"
}

/// A batch whose standard error is a terminal, and what is read from that.
fn on_terminal(folder: &Folder, module: &str, line: &str) -> (Child, File) {
    let terminal = openpty(None, None).unwrap();
    let mut command = folder.command(module, line);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(terminal.slave).spawn().unwrap();
    (child, File::from(terminal.master))
}

/// What is shown until it has this text; all of it, if it never has.
fn read_until(terminal: &mut File, text: &str) -> String {
    let (mut shown, mut chunk) = (String::new(), [0; 4096]);
    while !shown.contains(text) {
        // A terminal that nobody has open any more can't be read.
        match terminal.read(&mut chunk) {
            Ok(count) if count > 0 => shown += &String::from_utf8_lossy(&chunk[..count]),
            _ => break,
        }
    }
    shown
}

const NEVER: &str = "what is never shown";

#[test]
fn progress_is_shown_on_a_terminal() {
    let folder = Folder::new("terminal");
    let line = slow(&folder);
    let (mut child, mut terminal) = on_terminal(&folder, "runtime/waits", line);
    let shown = read_until(&mut terminal, " s left");
    for text in ["\r\x1b[K", "1/2 items, ", "/s, 1 in flight, ", " waiting, 0 failed, "] {
        assert!(shown.contains(text), "{text:?}: {shown:?}");
    }
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    let rest = read_until(&mut terminal, NEVER);
    assert!(rest.ends_with("\r\nraddle: CANCELLED: the batch was asked to stop\r\n"), "{rest:?}");
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn the_last_line_of_progress_is_ended() {
    let folder = Folder::new("ended");
    folder.put("in.jsonl", "[1, 0]\n[0, 0]\n");
    let line = "--input=in.jsonl --output=out.jsonl";
    let (child, mut terminal) = on_terminal(&folder, "runtime/visits", line);
    let shown = read_until(&mut terminal, NEVER);
    assert!(shown.starts_with("\r\x1b[K2 items, ") && shown.ends_with("1 failed\r\n"), "{shown:?}");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(20));
    assert_eq!(serde_json::from_slice::<Json>(&output.stdout).unwrap()["failed"], 1);
}

#[test]
fn nothing_is_shown_to_what_is_no_terminal_or_wants_it_quiet() {
    let folder = Folder::new("quiet");
    folder.put("in.jsonl", "[1, 0]\n");
    let (_, told) = folder.check("runtime/visits", "--input=in.jsonl --output=out.jsonl", 0);
    assert_eq!(told, "");
    let line = "--input=in.jsonl --output=out.jsonl --quiet";
    let (mut child, mut terminal) = on_terminal(&folder, "runtime/visits", line);
    assert_eq!(read_until(&mut terminal, NEVER), "");
    assert!(child.wait().unwrap().success());
}

#[test]
fn files_are_opened_by_leave_only() {
    let folder = Folder::new("files");
    folder.put("in.jsonl", "[\"made.txt\", \"twelve bytes\"]\n");
    let line = "--function=file --input=in.jsonl --output=out.jsonl";
    for refused in ["", " --allow-loopback"] {
        folder.check("runtime/streams", &format!("{line}{refused}"), 20);
        assert!(folder.get("out.jsonl").contains("\"PERMISSION_DENIED\""), "{}", folder.get("out.jsonl"));
        assert!(!folder.has("made.txt"));
    }
    folder.check("runtime/streams", &format!("{line} --allow-files"), 0);
    assert_eq!(folder.get("made.txt"), "twelve bytes");
    assert!(folder.get("out.jsonl").contains("\"outputs\":[12]"));
}

#[test]
fn ports_of_this_machine_are_reached_by_leave_only() {
    let folder = Folder::new("loopback");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    folder.put("in.jsonl", format!("[{port}, \"hello\\n\"]\n"));
    let line = "--function=ask --input=in.jsonl --output=out.jsonl";
    for refused in ["", " --allow-files"] {
        folder.check("runtime/streams", &format!("{line}{refused}"), 20);
        assert!(folder.get("out.jsonl").contains("\"PERMISSION_DENIED\""), "{}", folder.get("out.jsonl"));
    }
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut asked = String::new();
        BufReader::new(&stream).read_line(&mut asked).unwrap();
        (&stream).write_all(format!("you said {asked}").as_bytes()).unwrap();
    });
    folder.check("runtime/streams", &format!("{line} --allow-loopback"), 0);
    server.join().unwrap();
    assert!(folder.get("out.jsonl").contains("you said hello"), "{}", folder.get("out.jsonl"));
}
