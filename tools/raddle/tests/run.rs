//! `raddle run` and `raddle bench` from outside: what is printed, where, and the exit code.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn raddle(arguments: &[&str], input: &[u8]) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_raddle"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its input may have ended before it is written.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A module made from text, in a file of its own.
fn module(name: &str, text: &str) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let bytes = raddle_vm::assemble(text).unwrap().build();
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

fn program(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/programs").join(name);
    path.to_str().unwrap().to_owned()
}

/// Runs with these flags; the exit code, what is printed, and a part of what is told on the error stream.
fn check(flags: &[&str], code: i32, printed: &str, told: &str) {
    let mut arguments = vec!["run"];
    arguments.extend(flags);
    let (found, out, err) = raddle(&arguments, b"");
    assert!(found == code && out == printed && err.contains(told), "{flags:?}: {found}\n{out}\n{err}");
    assert!(told.is_empty() == err.is_empty(), "{err}");
}

const VALUES: &str = "
vm.module @values
vm.type !vm.opaque
vm.type i8
vm.export @all
vm.export @lists
vm.export @echo
vm.export @floats
vm.export @circle
vm.export @yields
vm.export @div
vm.func @all() -> (i32, i64, f32, f64, !vm.ref<?>) {
  %i0 = vm.const.i32 -12
  %i2:3 = vm.const.i64 1099511627776
  %i4 = vm.const.f32 3.75
  %i6:7 = vm.const.f64 -1e300
  vm.return %i0, %i2, %i4, %i6, %r0
}
vm.func @lists() -> (!vm.ref<?>) {
  %i0 = vm.const.i32 4
  %i2:3 = vm.const.i64 77
  %r0 = vm.list.alloc %i0 : !vm.list<!vm.opaque>
  vm.list.resize %r0, %i0
  vm.list.set.i64 %r0, %i1, %i2:3
  %i1 = vm.const.i32 1
  %r1 = vm.buffer.alloc %i2:3, %i4
  vm.list.set.ref %r0, %i1, %R1
  %i0 = vm.const.i32 2
  %r1 = vm.list.alloc %i0 : !vm.list<i8>
  vm.list.resize %r1, %i1
  vm.list.set.ref %r0, %i0, %R1
  vm.return %R0
}
vm.func @echo(%r0: !vm.ref<?>, %i0: i32) -> (!vm.ref<?>, i32) {
  vm.return %R0, %i0
}
vm.func @floats(%i0: f32, %i1:2: f64) -> (f32, f64) {
  vm.return %i0, %i2
}
vm.func @circle() -> (!vm.ref<?>) {
  %i0 = vm.const.i32 1
  %r0 = vm.list.alloc %i0 : !vm.list<!vm.opaque>
  vm.list.resize %r0, %i0
  vm.list.set.ref %r0, %i1, %r0
  vm.return %R0
}
vm.func @yields() -> (i32) {
  vm.yield ^bb1()
^bb1:
  %i0 = vm.const.i32 5
  vm.return %i0
}
vm.func @div(%i0: i32, %i1: i32) -> (i32) {
  %i0 = vm.div.i32.s %i0, %i1
  vm.return %i0
}
";

#[test]
fn results_print_as_in_stock() {
    let file = format!("--module={}", module("values.vmfb", VALUES));
    let run = |flags: &[&str], printed: &str| {
        let mut all = vec![&*file];
        all.extend(flags);
        check(&all, 0, printed, "");
    };
    let all = "EXEC @all\nresult[0]: i32=-12\nresult[1]: i64=1099511627776\nresult[2]: f32=3.75\nresult[3]: f64=-1e+300\nresult[4]: (null)\n";
    run(&["--function=all"], all);
    let lists = "vm.list\nchild_list[0]: i64=77\nchild_list[1]: vm.buffer\n(no printer)\nchild_list[2]: vm.list\nchild_list[0]: i8=0\n\nchild_list[3]: (null)\n\n";
    run(&["--function=lists"], &format!("EXEC @lists\nresult[0]: {lists}"));
    run(&["--function=lists", "--output=-"], &format!("EXEC @lists\n{lists}"));
    let echo = ["--function=echo", "--input=(null)", "--input=7 8"];
    run(&echo, "EXEC @echo\nresult[0]: (null)\nresult[1]: i32=7\n");
    run(&[&echo[..], &["--output=", "--output=-"]].concat(), "EXEC @echo\ni32=7\n");
    run(
        &["--function=floats", "--input=1e30", "--input=0.1"],
        "EXEC @floats\nresult[0]: f32=1e+30\nresult[1]: f64=0.1\n",
    );
    run(&["--function=circle"], "EXEC @circle\nresult[0]: vm.list\nchild_list[0]: vm.list\n...\n\n");
    run(&["--function=yields"], "EXEC @yields\nresult[0]: i32=5\n");
    run(&["--function=div", "--input=-2147483648", "--input=-1"], "EXEC @div\nresult[0]: i32=-2147483648\n");
}

#[test]
fn errors_exit_with_the_number_of_their_status() {
    let file = format!("--module={}", module("errors.vmfb", VALUES));
    check(&[&file], 3, "", "say --function=NAME, one of: all, lists");
    check(&[&file, "--function=nothing"], 5, "", "--function=nothing");
    check(&[&file, "--function=floats"], 3, "EXEC @floats\n", "expected 2 arguments, got 0");
    check(
        &[&file, "--function=floats", "--input=1", "--input=x"],
        3,
        "",
        "INVALID_ARGUMENT: 'x' is no number",
    );
    check(&[&file, "--function=all", "--input=1"], 3, "", "one too many");
    check(&[&file, "--function=div", "--input=1", "--input=0"], 3, "EXEC @div\n", "division by zero");
    check(&[&file, "--function=all", "--output=-"], 11, "EXEC @all\n", "1 times --output for 5 results");
    check(&[&file, "--function=all", "word"], 3, "", "'word' is no flag");
    check(&[&file, "--function=all", "--bogus=1"], 3, "", "there is no flag --bogus");
    check(&[&file, "--function=all", "--device=cuda"], 5, "", "there are local-task, local-sync and local");
    check(&["--module=no/such/file", "--function=all"], 5, "", "NOT_FOUND");
    check(&[], 3, "", "--module=FILE is missing");
    let hal = format!("--module={}", program("hal/state.vmfb"));
    check(&[&hal, "--function=push", "--input=4xf32=1", "--no-native"], 18, "", "INCOMPATIBLE");
}

#[test]
fn expected_results_are_compared() {
    let file = format!("--module={}", module("expected.vmfb", VALUES));
    let floats = [&*file, "--function=floats", "--input=1.5", "--input=0.1"];
    let success = "EXEC @floats\n[SUCCESS] all function outputs matched their expected values.\n";
    let run = |flags: &[&str], code, printed: &str, told| {
        check(&[&floats[..], flags].concat(), code, printed, told)
    };
    run(&["--expected_output=1.50009", "--expected_output=0.1"], 0, success, "");
    run(&["--expected_output=(ignored)", "--expected_output=0.1"], 0, success, "");
    let wrong = "EXEC @floats\n[FAILED] result[0]: expected f32=1.5009 but got f32=1.5\n";
    run(&["--expected_output=1.5009", "--expected_output=0.1"], 9, wrong, "not as expected");
    let loose = [
        "--expected_output=1.6",
        "--expected_output=0.2",
        "--expected_f32_threshold=0.2",
        "--expected_rtol=1",
    ];
    run(&loose, 0, success, "");
    let wrong = "EXEC @floats\n[FAILED] result[1]: expected f64=0.1 but got f64=0.1\n";
    let exact = ["--expected_output=1.5", "--expected_output=0.10000001", "--equality_mode=exact"];
    run(&exact, 9, wrong, "not as expected");
    run(
        &["--expected_output=1"],
        9,
        "EXEC @floats\n[FAILED] expected 1 list elements but 2 provided\n[FAILED] result[0]: expected f32=1 but got f32=1.5\n",
        "not as",
    );
    let echo = [
        &*file,
        "--function=echo",
        "--input=(null)",
        "--input=0x10",
        "--expected_output=(null)",
        "--expected_output=16",
    ];
    check(&echo, 0, "EXEC @echo\n[SUCCESS] all function outputs matched their expected values.\n", "");
}

#[test]
fn modules_link_in_order_and_come_from_standard_input() {
    let library = "vm.module @library\nvm.export @twice\nvm.func @twice(%i0: i32) -> (i32) {\n  %i0 = vm.add.i32 %i0, %i0\n  vm.return %i0\n}\n";
    let main = "vm.module @main\nvm.import @library.twice cconv \"0i_i\"\nvm.export @__init\nvm.export @main\nvm.func @__init() -> () {\n  vm.return\n}\nvm.func @main(%i0: i32) -> (i32) {\n  %i0 = vm.call @library.twice(%i0)\n  vm.return %i0\n}\n";
    let main = match raddle_vm::assemble(main) {
        Ok(module) => module.build(),
        Err(error) => panic!("{error}"),
    };
    let library = format!("--module={}", module("library.vmfb", library));
    let (code, out, err) = raddle(&["run", &library, "--module=-", "--input=21"], &main);
    assert!(code == 0 && out == "EXEC @main\nresult[0]: i32=42\n", "{code} {out} {err}");
    let (code, _, err) = raddle(&["run", "--module=-", "--input=21"], &main);
    assert!(code == 5 && err.contains("library.twice"), "{code} {err}");
}

#[test]
fn compiled_programs_run() {
    let file = format!("--module={}", program("vm/arith.vmfb"));
    check(&[&file, "--function=gcd", "--input=48", "--input=36"], 0, "EXEC @gcd\nresult[0]: i32=12\n", "");
    let file = format!("--module={}", program("vm/state.vmfb"));
    let (code, _, err) = raddle(&["run", &file, "--function=nothing"], b"");
    assert!(code == 5, "{err}");
}

#[test]
fn flag_files_and_flags_without_effect_are_taken() {
    let file = module("flags.vmfb", VALUES);
    let flags = format!(
        "# as the help of stock prints them\n--module={file}\n\n--function=\"yields\"\n--device_profiling_mode=\"\"\n--trace_execution=false\n--task_worker_spin_us=5\n--module_mode=\"preload\"\n"
    );
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("flags.txt");
    std::fs::write(&path, flags).unwrap();
    let flag = format!("--flagfile={}", path.display());
    check(&[&flag], 0, "EXEC @yields\nresult[0]: i32=5\n", "");
    check(&[&flag, "--trace_execution=true"], 12, "", "--trace_execution is refused");
    std::fs::write(&path, format!("--flagfile={}", path.display())).unwrap();
    check(&[&flag], 3, "", "without end");
}

#[test]
fn bench_reports_as_google_benchmark_does() {
    let file = format!("--module={}", module("bench.vmfb", VALUES));
    let out_file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench.csv");
    let out = format!("--benchmark_out={}", out_file.display());
    let base = [
        "bench",
        &file,
        "--function=div",
        "--input=7",
        "--input=2",
        "--benchmark_min_time=100x",
        "--benchmark_repetitions=3",
        "--batch_size=4",
        &out,
        "--benchmark_out_format=csv",
    ];
    let run = |more: &[&str]| {
        let (code, out, err) = raddle(&[&base[..], more].concat(), b"");
        assert!(code == 0 && err.is_empty(), "{code} {err}");
        out
    };
    let name = "BM_div/process_time/real_time";
    let console = run(&[]);
    let starts = |text: &str, start: &str| text.lines().filter(|line| line.starts_with(start)).count();
    assert!(starts(&console, name) == 7 && console.contains("items_per_second="), "{console}");
    let csv = std::fs::read_to_string(&out_file).unwrap();
    assert!(csv.starts_with("name,iterations,") && csv.lines().count() == 8, "{csv}");
    let json: serde_json::Value = serde_json::from_str(&run(&["--benchmark_format=json"])).unwrap();
    let rows = json["benchmarks"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["iterations"], &rows[0]["time_unit"]), (7, &100.into(), &"ms".into()));
    // Calls that are under way together, and a report of the whole alone.
    let few =
        ["--batch_concurrency=3", "--benchmark_display_aggregates_only=true", "--benchmark_time_unit=us"];
    let console = run(&few);
    assert!(starts(&console, name) == 4 && console.contains(" us"), "{console}");
    let (code, _, err) = raddle(&["bench", &file, "--function=div", "--input=7", "--input=0"], b"");
    assert!(code == 3 && err.contains("division by zero"), "{err}");
    let (code, _, err) = raddle(&[&base[..], &["--benchmark_filter=x"]].concat(), b"");
    assert!(code == 12 && err.contains("named by --function"), "{err}");
}

#[test]
fn results_are_written_to_files() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (npy, raw) = (path("result.npy"), path("result.bin"));
    let abs = format!("--module={}", program("hal/abs.sync.vmfb"));
    let run = |output: &str| {
        check(&[&abs, "--function=abs", "--input=f32=-2.5", output], 0, "EXEC @abs\n", "");
    };
    run(&format!("--output=@{npy}"));
    let bytes = std::fs::read(&npy).unwrap();
    assert!(bytes.starts_with(b"\x93NUMPY\x01\0") && bytes.ends_with(&2.5f32.to_le_bytes()));
    // What was written is read again.
    let input = format!("--input=@{npy}");
    check(&[&abs, "--function=abs", &input], 0, "EXEC @abs\nresult[0]: hal.buffer_view\nf32=2.5\n", "");
    run(&format!("--output=@{raw}"));
    run(&format!("--output=+{raw}"));
    assert_eq!(std::fs::read(&raw).unwrap(), [2.5f32.to_le_bytes(); 2].concat());
    let file = format!("--module={}", module("files.vmfb", VALUES));
    let numbers = [&*file, "--function=floats", "--input=1.5", "--input=0.1"];
    let outputs = [format!("--output=@{npy}"), format!("--output=@{raw}")];
    check(&[&numbers[..], &[&*outputs[0], &*outputs[1]]].concat(), 0, "EXEC @floats\n", "");
    let bytes = std::fs::read(&npy).unwrap();
    assert!(bytes.windows(9).any(|part| part == b"'shape': ") && bytes.ends_with(&1.5f32.to_le_bytes()));
    assert_eq!(std::fs::read(&raw).unwrap(), 0.1f64.to_le_bytes());
    let nowhere = [&*abs, "--function=abs", "--input=f32=1", "--output=@no/such/folder/x.npy"];
    check(&nowhere, 5, "EXEC @abs\n", "NOT_FOUND");
    check(&[&*abs, "--function=abs", "--input=f32=1", "--output=x.npy"], 3, "EXEC @abs\n", "@FILE or +FILE");
}

#[test]
fn devices_are_listed_and_counted() {
    check(&["--list_devices"], 0, "local://\nlocal-sync://\nlocal-task://\n", "");
    check(&["--list_devices=local-sync"], 0, "local-sync://\n", "");
    check(&["--list_devices=cuda"], 5, "", "NOT_FOUND");
    let abs = format!("--module={}", program("hal/abs.sync.vmfb"));
    let flags = [&*abs, "--function=abs", "--input=f32=-2", "--print_device_statistics=true"];
    let (code, out, err) = raddle(&[&["run"], &flags[..]].concat(), b"");
    assert!(code == 0 && out.ends_with("f32=2\n"), "{out} {err}");
    assert!(err.contains("local-task: memory: ") && err.contains("operations: 2 at once"), "{err}");
    // Each way to name one, and several, of which the program takes the first that fits.
    let printed = "EXEC @abs\nresult[0]: hal.buffer_view\nf32=2\n";
    for names in
        [&["local"][..], &["local-task"], &["local-sync"], &["local-sync://"], &["local-sync", "local-task"]]
    {
        let devices: Vec<String> = names.iter().map(|name| format!("--device={name}")).collect();
        let devices = devices.iter().map(String::as_str);
        check(&flags[..3].iter().copied().chain(devices).collect::<Vec<_>>(), 0, printed, "");
    }
    let sync = [&["run"], &flags[..], &["--device=local-sync://"]].concat();
    let (_, _, err) = raddle(&sync, b"");
    assert!(err.contains("local-sync: memory: "), "{err}");
}
