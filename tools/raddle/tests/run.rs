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
    check(
        &[&file, "--function=yields", "--output=@x.npy"],
        12,
        "EXEC @yields\n",
        "--output=@x.npy is refused",
    );
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
fn bench_prints_a_small_table() {
    let file = format!("--module={}", module("bench.vmfb", VALUES));
    let flags = [
        "bench",
        &file,
        "--function=div",
        "--input=7",
        "--input=2",
        "--benchmark_min_time=0.001",
        "--benchmark_repetitions=3",
    ];
    let (code, out, err) = raddle(&flags, b"");
    let lines: Vec<_> = out.lines().collect();
    assert!(code == 0 && lines.len() == 2 && lines[1].starts_with("div "), "{out} {err}");
    let (code, _, err) = raddle(&["bench", &file, "--function=div", "--input=7", "--input=0"], b"");
    assert!(code == 3 && err.contains("division by zero"), "{err}");
}
