//! `raddle batch` from outside: files, exit codes, crashes.

mod support;

use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use support::{Folder, lines, npy, steps};

/// The results by id.
fn by_id(text: &str) -> BTreeMap<String, Json> {
    let all = lines(text);
    let count = all.len();
    let map: BTreeMap<String, Json> = all.into_iter().map(|line| (line["id"].to_string(), line)).collect();
    assert_eq!(map.len(), count, "an id comes twice");
    map
}

fn visits(count: u64, pause_ns: u64) -> String {
    (1..=count).map(|number| format!("{{\"id\":\"n{number}\",\"inputs\":[{number},{pause_ns}]}}\n")).collect()
}

#[test]
fn results_are_tied_to_their_items() {
    let folder = Folder::new("results");
    folder.put("in.jsonl", visits(500, 1_000_000));
    let (out, told) =
        folder.check("runtime/visits", "--input=in.jsonl --output=out.jsonl --in-flight=500 --workers=2", 0);
    assert_eq!(told, "", "nothing is shown when standard error is no terminal");
    let summary: Json = serde_json::from_str(&out).unwrap();
    assert_eq!((&summary["complete"], &summary["succeeded"]), (&Json::from(true), &Json::from(500)));
    let results = by_id(&folder.get("out.jsonl"));
    for number in 1..=500 {
        let line = &results[&format!("\"n{number}\"")];
        assert_eq!(line["outputs"], serde_json::json!([steps(number)]), "{line}");
    }
    assert!(!folder.has("out.jsonl.part") && !folder.has("out.jsonl.part.log"));
}

#[test]
fn a_failing_item_harms_no_other() {
    let folder = Folder::new("failing");
    folder.put(
        "in.jsonl",
        "[5, 0]\n\n{\"id\":\"zero\",\"inputs\":[0,0]}\nno json\n{\"id\":7,\"inputs\":[1]}\n[\"x\", 0]\n\
         {\"id\":\"zero\",\"inputs\":[1,0]}\n{\"inputs\":[1,0],\"extra\":1}\n{\"id\":[],\"inputs\":[1,0]}\n[6, 0]",
    );
    let (out, _) =
        folder.check("runtime/visits", "--input=in.jsonl --output=out.jsonl --ordered --retries=3", 20);
    let results = lines(&folder.get("out.jsonl"));
    let statuses: Vec<&str> = results.iter().map(|line| line["status"].as_str().unwrap()).collect();
    let invalid = "INVALID_ARGUMENT";
    assert_eq!(
        statuses,
        ["OK", "OUT_OF_RANGE", invalid, invalid, invalid, "ALREADY_EXISTS", invalid, invalid, "OK"]
    );
    assert_eq!(results[0]["id"], 0);
    assert_eq!(results[3]["id"], 7);
    assert_eq!(results[8]["outputs"], serde_json::json!([8]));
    let error = results[2]["error"].as_str().unwrap();
    assert!(error.contains("line 4 of in.jsonl"), "{error}");
    let summary: Json = serde_json::from_str(&out).unwrap();
    assert_eq!(
        summary["failures"],
        serde_json::json!({"INVALID_ARGUMENT": 5, "OUT_OF_RANGE": 1, "ALREADY_EXISTS": 1})
    );
    assert_eq!(summary["retried"], 0, "another try would change nothing");
}

/// Feeds a batch these lines and leaves its input open: it can't end by itself. Returns when its log is so long.
fn feed(folder: &Folder, line: &str, lines: &str, log_bytes: u64) -> (Child, ChildStdin) {
    let mut command = folder.command("runtime/visits", line);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(lines.as_bytes()).unwrap();
    let log = folder.0.join("out.jsonl.part.log");
    while fs::metadata(&log).map_or(0, |data| data.len()) < log_bytes {
        assert_eq!(child.try_wait().unwrap(), None, "it ended by itself");
        std::thread::yield_now();
    }
    (child, input)
}

#[test]
fn a_killed_batch_is_resumed_with_an_identical_result() {
    let folder = Folder::new("killed");
    let lines = visits(600, 1_000_000);
    folder.put("in.jsonl", &lines);
    folder.check(
        "runtime/visits",
        "--input=in.jsonl --output=whole.jsonl --ordered --in-flight=20 --workers=2",
        0,
    );
    let line = "--input=- --output=out.jsonl --ordered --in-flight=20 --workers=2";
    for log_bytes in [300, 3000, 6000] {
        let (mut child, input) = feed(&folder, &format!("{line} --resume"), &lines, log_bytes);
        child.kill().unwrap();
        child.wait().unwrap();
        drop(input);
    }
    assert!(!folder.has("out.jsonl"), "killed, and not complete");
    // A crash in the middle of a write: both files end in something that is torn.
    for name in ["out.jsonl.part", "out.jsonl.part.log"] {
        let text = folder.get(name);
        folder.put(name, format!("{text}{{\"id\":\"n9"));
    }
    folder.check("runtime/visits", line, 6);
    let (mut child, input) = feed(&folder, &format!("{line} --resume"), &lines, 1);
    drop(input);
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert!(child.wait().unwrap().success());
    let summary: Json = serde_json::from_str(&out).unwrap();
    assert!(summary["resumed"].as_u64().unwrap() > 100, "{out}");
    assert_eq!(folder.get("out.jsonl"), folder.get("whole.jsonl"));
}

#[test]
fn ctrl_c_loses_no_finished_item() {
    let folder = Folder::new("interrupted");
    let lines = visits(40, 1_000_000);
    let line = "--input=- --output=out.jsonl --in-flight=20 --workers=2";
    // One item waits for an hour: it is what is interrupted.
    let long = "{\"id\":\"long\",\"inputs\":[1,3600000000000]}\n";
    let (child, input) = feed(&folder, line, &format!("{lines}{long}"), 1000);
    let process = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    drop(input);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("asked to stop"), "{told}");
    let done = folder.get("out.jsonl.part").lines().count();
    let (mut child, input) = feed(&folder, &format!("{line} --resume"), &lines, 1);
    drop(input);
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(serde_json::from_str::<Json>(&out).unwrap()["resumed"], done);
    assert_eq!(by_id(&folder.get("out.jsonl")).len(), 40);
}

#[test]
fn damage_in_the_results_is_found_and_run_again() {
    let folder = Folder::new("damage");
    folder.put("in.jsonl", visits(50, 0) + "{\"id\":\"last\",\"inputs\":[0,0]}\n");
    let line = "--input=in.jsonl --output=out.jsonl --ordered";
    folder.check("runtime/visits", &format!("{line} --fail-fast"), 11);
    let text = folder.get("out.jsonl.part");
    assert_eq!(text.lines().count(), 51);
    folder.put("out.jsonl.part", text.replacen("\"n20\",\"status\":\"OK\"", "\"n20\",\"status\":\"XX\"", 1));
    let (out, _) = folder.check("runtime/visits", &format!("{line} --resume"), 20);
    assert_eq!(serde_json::from_str::<Json>(&out).unwrap()["resumed"], 19);
    assert_eq!(folder.get("out.jsonl"), text);
}

#[test]
fn failures_of_a_former_run_count_for_the_exit_code() {
    let folder = Folder::new("former");
    folder.put("in.jsonl", visits(3, 0) + "{\"id\":\"last\",\"inputs\":[0,0]}\n");
    let line = "--input=in.jsonl --output=out.jsonl --ordered";
    folder.check("runtime/visits", &format!("{line} --fail-fast"), 11);
    let (out, _) = folder.check("runtime/visits", &format!("{line} --resume"), 20);
    let summary: Json = serde_json::from_str(&out).unwrap();
    assert_eq!((&summary["resumed"], &summary["resumed_failed"]), (&Json::from(4), &Json::from(1)), "{out}");
}

#[test]
fn shards_together_are_the_batch() {
    let folder = Folder::new("shards");
    folder.put("in.jsonl", visits(100, 0));
    folder.check("runtime/visits", "--input=in.jsonl --output=whole.jsonl", 0);
    let mut together = String::new();
    for index in 0..3 {
        let line = format!("--input=in.jsonl --output=s{index}.jsonl --shard={index}/3");
        folder.check("runtime/visits", &line, 0);
        let part = folder.get(&format!("s{index}.jsonl"));
        assert!(part.lines().count() > 10);
        together += &part;
    }
    assert_eq!(by_id(&together), by_id(&folder.get("whole.jsonl")));
}

#[test]
fn npy_files_are_split_and_written() {
    let folder = Folder::new("npy");
    let numbers: Vec<u8> = (1..=300_i64).flat_map(i64::to_le_bytes).collect();
    folder.put("numbers.npy", npy("<i8", "(300,)", &numbers));
    folder.check("runtime/visits", "--input=numbers.npy --input=1000 --output=out.npy --in-flight=7", 0);
    let expected: Vec<u8> = (1..=300).flat_map(|number| (steps(number) as i32).to_le_bytes()).collect();
    let out = fs::read(folder.0.join("out.npy")).unwrap();
    assert!(out.starts_with(b"\x93NUMPY") && out[256..] == expected);
    assert!(
        String::from_utf8_lossy(&out[..256])
            .contains("'descr': '<i4', 'fortran_order': False, 'shape': (300,)")
    );
    // Both arguments from the rows of one array, big-endian and narrow; one item fails.
    let rows: Vec<u8> = [7_i16, 0, 0, 0, 27, 0].into_iter().flat_map(i16::to_be_bytes).collect();
    folder.put("rows.npy", npy(">i2", "(3, 2)", &rows));
    folder.check("runtime/visits", "--input=rows.npy --output=out.npy", 20);
    let out = fs::read(folder.0.join("out.npy")).unwrap();
    assert_eq!(out[256..], [16, 0, 111].into_iter().flat_map(i32::to_le_bytes).collect::<Vec<u8>>());
    let failures = lines(&folder.get("out.npy.failures.jsonl"));
    assert_eq!((&failures[0]["id"], &failures[0]["status"]), (&Json::from(1), &Json::from("OUT_OF_RANGE")));
}

#[test]
fn items_that_take_too_long_are_tried_again_and_given_up() {
    let folder = Folder::new("timeout");
    folder.put("in.jsonl", "[3600000000000, 1]\n[0, 2]\n");
    let line = "--function=delay --input=in.jsonl --output=out.jsonl --ordered --timeout=5ms --retries=2 --in-flight=1";
    let output = folder.run("runtime/waits", line);
    assert_eq!(output.status.code(), Some(20), "{}", String::from_utf8_lossy(&output.stderr));
    let results = lines(&folder.get("out.jsonl"));
    assert_eq!(
        (&results[0]["status"], &results[0]["attempts"]),
        (&Json::from("DEADLINE_EXCEEDED"), &Json::from(3))
    );
}

#[test]
fn state_is_of_the_item_or_shared() {
    let folder = Folder::new("state");
    folder.put("in.jsonl", "[0]\n".repeat(20));
    let outputs = |name: &str| -> Vec<u64> {
        lines(&folder.get(name)).iter().map(|line| line["outputs"][0].as_u64().unwrap()).collect()
    };
    folder.check("runtime/counter", "--input=in.jsonl --output=own.jsonl", 0);
    assert_eq!(outputs("own.jsonl"), [1; 20]);
    folder.check("runtime/counter", "--input=in.jsonl --output=shared.jsonl --state=shared", 0);
    assert_eq!(outputs("shared.jsonl"), (1..=20).collect::<Vec<u64>>());
}

/// Each arrow has one tail and one head, which is not earlier, and both are in slices of their threads: so Perfetto draws it.
fn check_arrows(trace: &[Json], count: usize) {
    let number = |event: &Json, key: &str| event[key].as_f64().unwrap_or_else(|| panic!("{key} of {event}"));
    let slices: Vec<(u64, f64, f64)> = trace
        .iter()
        .filter(|event| event["ph"] == "X")
        .map(|event| {
            (event["tid"].as_u64().unwrap(), number(event, "ts"), number(event, "ts") + number(event, "dur"))
        })
        .collect();
    let ends = |phase: &str| -> BTreeMap<u64, (u64, f64)> {
        let of_phase: Vec<&Json> = trace.iter().filter(|event| event["ph"] == phase).collect();
        assert!(
            of_phase
                .iter()
                .all(|event| event["pid"] == 1 && event["cat"] == "wake" && event["name"] == "wake")
        );
        let end = |event: &&Json| {
            (event["id"].as_u64().unwrap(), (event["tid"].as_u64().unwrap(), number(event, "ts")))
        };
        let ends: BTreeMap<_, _> = of_phase.iter().map(end).collect();
        assert_eq!(ends.len(), of_phase.len(), "an arrow has two ends of the kind {phase}");
        ends
    };
    let (tails, heads) = (ends("s"), ends("f"));
    assert_eq!((tails.len(), heads.len()), (count, count));
    for (id, tail) in &tails {
        let head = &heads[id];
        assert!(tail.1 <= head.1, "arrow {id} goes back in time: {tail:?} {head:?}");
        for (thread, at) in [tail, head] {
            let is_inside = slices.iter().any(|(own, from, to)| own == thread && from <= at && at <= to);
            assert!(is_inside, "an end of arrow {id} is in no slice");
        }
    }
    let threads = trace.iter().filter(|event| event["name"] == "thread_name");
    let named: Vec<u64> = threads.map(|event| event["tid"].as_u64().unwrap()).collect();
    assert!(slices.iter().all(|(thread, ..)| named.contains(thread)), "a track has no name");
}

#[test]
fn what_runs_can_be_seen() {
    let folder = Folder::new("seen");
    folder.put("in.jsonl", visits(40, 20_000_000));
    let line = "--input=in.jsonl --output=out.jsonl --in-flight=10 --trace=trace.json --stats=5ms --metrics=metrics.txt";
    let (_, told) = folder.check("runtime/visits", line, 0);
    assert!(told.contains(" x visits.steps waits for Until"), "{told}");
    let trace: Vec<Json> = serde_json::from_str(&folder.get("trace.json")).unwrap();
    let count = |phase: &str| trace.iter().filter(|event| event["ph"] == phase).count();
    assert_eq!((count("b"), count("e")), (80, 80), "two waits of 40 items");
    check_arrows(&trace, 80);
    let is_step = |event: &&Json| event["ph"] == "X" && event["name"] == "visits.steps";
    assert_eq!(trace.iter().filter(is_step).count(), 120, "three steps for each item");
    let metrics = folder.get("metrics.txt");
    assert!(metrics.contains("\nraddle_batch_succeeded_total 40\n"), "{metrics}");
    // The picture has them all; without its end, as a killed process leaves it, too.
    let text = folder.get("trace.json");
    for text in [&text[..], &text[..text.len() - 5]] {
        folder.put("trace.json", text);
        let mut command = Command::new(env!("CARGO_BIN_EXE_raddle"));
        command.current_dir(&folder.0).args(["trace", "trace.json", "--output=trace.svg"]);
        assert!(command.status().unwrap().success());
        let picture = folder.get("trace.svg");
        assert_eq!(picture.matches("class=\"wake\"").count(), 80);
        assert_eq!(picture.matches("class=\"wait\"").count(), 80);
        assert_eq!(picture.matches("class=\"step\"").count(), 120);
    }
}

#[test]
fn what_can_not_be_written_is_told() {
    let folder = Folder::new("nowhere");
    folder.put("in.jsonl", visits(3, 0));
    folder.put("file", "no folder");
    fs::create_dir(folder.0.join("folder.jsonl")).unwrap();
    let input = "--input=in.jsonl";
    for (line, code, message) in [
        (format!("{input} --output=file/out.jsonl"), 3, "can't write file/out.jsonl.part.log"),
        (format!("{input} --output=folder.jsonl"), 3, "is a folder"),
        (format!("{input} --output=out.jsonl --trace=file/trace.json"), 14, "can't write the trace"),
        (format!("{input} --output=out.jsonl --summary=/dev/full"), 8, "can't write /dev/full"),
    ] {
        let (_, told) = folder.check("runtime/visits", &line, code);
        assert!(told.contains(message), "{line}: {told}");
    }
    // The summary had no place, the results did.
    assert_eq!(by_id(&folder.get("out.jsonl")).len(), 3);
    let mut command = folder.command("runtime/visits", "--input=in.jsonl --output=-");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = command.stdout(full).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(8), "{told}");
    assert!(told.contains("can't write the results"), "{told}");
}

#[test]
fn a_folder_that_is_read_only_is_told_before_anything_runs() {
    let folder = Folder::new("read-only");
    folder.put("in.jsonl", visits(3, 0));
    let closed = folder.0.join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
    let own = folder.command("runtime/visits", "--input=in.jsonl --output=closed/out.jsonl");
    // Root may write everywhere, unless it has given that up.
    let mut command = Command::new("setpriv");
    match nix::unistd::geteuid().is_root() {
        true => command.arg("--bounding-set=-dac_override"),
        false => command.arg("--no-new-privs"),
    };
    command.current_dir(&folder.0).arg(own.get_program()).args(own.get_args());
    let output = match command.stdin(Stdio::null()).output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return println!("not tried: there is no setpriv");
        }
        output => output.unwrap(),
    };
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(7), "{told}");
    assert!(told.contains("PERMISSION_DENIED: can't write closed/out.jsonl.part.log"), "{told}");
    assert_eq!(fs::read_dir(&closed).unwrap().count(), 0);
}

#[test]
fn standard_streams_can_be_input_and_output() {
    let folder = Folder::new("streams");
    let mut command = folder.command("runtime/visits", "--input=- --output=- --ordered");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"[27, 0]\n[1, 0]\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let expected =
        "{\"id\":0,\"status\":\"OK\",\"outputs\":[111]}\n{\"id\":1,\"status\":\"OK\",\"outputs\":[0]}\n";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

#[test]
fn an_input_of_no_items_is_a_complete_batch() {
    let folder = Folder::new("empty");
    folder.put("in.jsonl", "\n\n");
    folder.put("in.npy", npy("<i8", "(0,)", b""));
    folder.check("runtime/visits", "--input=in.jsonl --output=out.jsonl", 0);
    assert_eq!(folder.get("out.jsonl"), "");
    folder.check("runtime/visits", "--input=in.npy --input=0 --output=out.npy", 0);
    assert_eq!(fs::read(folder.0.join("out.npy")).unwrap().len(), 256);
}

#[test]
fn bad_input_is_told_with_the_number_of_its_status() {
    let folder = Folder::new("bad");
    folder.put("in.jsonl", visits(3, 0));
    folder.put("floats.npy", npy("<f4", "(1,)", &[0; 4]));
    folder.put("three.npy", npy("<i8", "(3,)", &[0; 24]));
    folder.put("two.npy", npy("<i8", "(2,)", &[0; 16]));
    folder.put("cut.npy", npy("<i8", "(3,)", &[0; 20]));
    folder.put("cube.npy", npy("<i8", "(1, 1, 1)", &[0; 8]));
    folder.put("no.npy", "hello, this is no array");
    let out = "--output=out.jsonl";
    for (line, code, message) in [
        (format!("--input=none.jsonl {out}"), 5, "can't read none.jsonl"),
        (format!("--input=none.npy --input=0 {out}"), 5, "can't read none.npy"),
        (out.to_owned(), 3, "--input=FILE is missing"),
        ("--input=in.jsonl".to_owned(), 3, "--output=FILE is missing"),
        ("--input=in.jsonl --output=out.csv".to_owned(), 3, "none of .jsonl, .npy, .npz, .parquet, .arrow"),
        (
            "--input=in.jsonl --output=no/such/out.jsonl".to_owned(),
            5,
            "can't write no/such/out.jsonl.part.log",
        ),
        ("--input=in.jsonl --output=/proc/out.jsonl".to_owned(), 5, "can't write /proc/out.jsonl.part.log"),
        (format!("--input=in.jsonl --input=3 {out}"), 3, "stands alone"),
        (format!("--input=in.jsonl {out} --function=none"), 5, "none"),
        (format!("--input=in.jsonl {out} --workers=0"), 3, "--workers has to be at least 1"),
        (format!("--input=in.jsonl {out} --timeout=soon"), 3, "--timeout is a time"),
        (format!("--input=in.jsonl {out} --shard=3/3"), 3, "no shard 3 of 3"),
        (format!("--input=in.jsonl {out} --state=none"), 3, "--state is per-item or shared"),
        (format!("--input=in.jsonl {out} --resume --start-over"), 3, "exclude each other"),
        (format!("--input=in.jsonl {out} --bogus"), 3, "no flag --bogus"),
        (format!("--input=3 --input=4 {out}"), 3, "all inputs are constants"),
        (format!("--input=x --input=three.npy {out}"), 3, "no .jsonl, .npy, .npz, .parquet or .arrow file"),
        (format!("--input=floats.npy --input=0 {out}"), 3, "elements of type <f4, the function takes 'i64'"),
        (format!("--input=three.npy --input=two.npy {out}"), 3, "has 3 items, two.npy has 2"),
        (format!("--input=three.npy {out}"), 3, "the inputs give 1 arguments, the function takes 2"),
        (format!("--input=cube.npy --input=0 {out}"), 3, "3 axes, the function takes numbers there"),
        (format!("--input=no.npy --input=0 {out}"), 3, "does not begin as an .npy file does"),
        (format!("--input=cut.npy --input=0 --start-over {out}"), 15, "in item 2"),
        ("--input=in.jsonl --output=out.npy --shard=0/2".to_owned(), 3, "use .jsonl"),
    ] {
        let (_, told) = folder.check("runtime/visits", &line, code);
        assert!(told.contains(message), "{line}: {told}");
    }
    let (_, told) = folder.check("runtime/nothing", &format!("--input=in.jsonl {out}"), 5);
    assert!(told.contains("nothing.vmfb"), "{told}");
}

#[test]
#[cfg(not(feature = "parquet"))]
fn a_build_without_tables_names_the_feature() {
    let folder = Folder::new("absent");
    folder.put("in.jsonl", visits(3, 0));
    folder.put("in.parquet", "");
    folder.put("in.arrow", "");
    for line in [
        "--input=in.parquet --output=out.jsonl",
        "--input=in.arrow:a,b --output=out.jsonl",
        "--input=in.jsonl --output=out.parquet",
    ] {
        let (_, told) = folder.check("runtime/visits", line, 12);
        assert!(told.contains("they need the feature `parquet`"), "{line}: {told}");
        assert!(!folder.has("out.jsonl.part") && !folder.has("out.parquet.part"));
    }
}

#[test]
fn a_log_of_another_batch_is_refused() {
    let folder = Folder::new("foreign");
    folder.put("in.jsonl", visits(20, 0) + "[0,0]\n");
    folder.put("other.jsonl", visits(30, 0));
    folder.check("runtime/visits", "--input=in.jsonl --output=out.jsonl --fail-fast --ordered", 11);
    for (module, line, message) in [
        ("runtime/visits", "--input=other.jsonl --output=out.jsonl --resume --ordered", "its input is"),
        ("runtime/visits", "--input=in.jsonl --output=out.jsonl --resume", "its ordered is true"),
        (
            "runtime/waits",
            "--function=delay --input=in.jsonl --output=out.jsonl --resume --ordered",
            "its module is",
        ),
    ] {
        let (_, told) = folder.check(module, line, 9);
        assert!(told.contains("log of another batch") && told.contains(message), "{told}");
    }
    folder.put("out.jsonl.part.log", "nonsense\n");
    let (_, told) =
        folder.check("runtime/visits", "--input=in.jsonl --output=out.jsonl --resume --ordered", 15);
    assert!(told.contains("start anew"), "{told}");
    folder.check("runtime/visits", "--input=other.jsonl --output=out.jsonl --start-over", 0);
    assert_eq!(by_id(&folder.get("out.jsonl")).len(), 30);
}

#[test]
fn a_full_disk_stops_the_batch_and_loses_nothing() {
    let folder = Folder::new("full");
    folder.put("in.jsonl", visits(20_000, 0));
    let line = "--input=in.jsonl --output=out.jsonl --in-flight=100";
    let output = folder.run_on_a_small_disk("runtime/visits", line, 400);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(8), "{told}");
    assert!(told.contains("can't write out.jsonl.part"), "{told}");
    let (out, _) = folder.check("runtime/visits", &format!("{line} --resume"), 0);
    assert!(serde_json::from_str::<Json>(&out).unwrap()["resumed"].as_u64().unwrap() > 1000, "{out}");
    assert_eq!(by_id(&folder.get("out.jsonl")).len(), 20_000);
}
