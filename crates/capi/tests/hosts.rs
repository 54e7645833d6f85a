//! C, C++ and Python programs against the installed library: the tests in `tests/c` and the worked integrations in
//! `examples`, with the machine's compilers.
//!
//! By default what needs only a C and a C++ compiler runs, with clang too where it is present. With `RADDLE_HOSTS=all`
//! everything runs, under sanitizers and valgrind too, and what is missing is a failure.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// How long one program may take; under valgrind too. Unit: seconds. Guess: many times what they need.
const LIMIT_S: &str = "200";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn programs() -> PathBuf {
    root().join("../../tests/programs/runtime")
}

/// Whether a missing tool is a failure.
fn wants_all() -> bool {
    std::env::var("RADDLE_HOSTS").is_ok_and(|value| value == "all")
}

/// Whether a tool is there. Without it a test has nothing to do, unless everything is wanted.
fn has(tool: &str) -> bool {
    let is_there = Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success());
    assert!(is_there || !wants_all(), "{tool} is missing, and RADDLE_HOSTS=all wants it");
    if !is_there {
        println!("not run: there is no {tool}");
    }
    is_there
}

/// Runs a command to its end, and fails with what it said.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{:?} of {command:?}\n{said}", output.status);
    said
}

/// The library as it is installed, with debug assertions.
fn installed() -> &'static Path {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(|| {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("installed");
        let mut command = Command::new(env!("CARGO"));
        command.args(["run", "--quiet", "--package", "xtask", "--", "install-capi", "--debug"]).arg(&place);
        run(command.current_dir(root().join("../..")));
        place
    })
}

/// One program: its source, the compiler, and flags beside the usual ones.
struct Host<'a> {
    source: &'a str,
    compiler: &'a str,
    flags: &'a [&'a str],
}

impl Host<'_> {
    fn is_cpp(&self) -> bool {
        self.source.ends_with(".cpp")
    }

    /// Compiles it against the shared library.
    fn build(&self, name: &str) -> PathBuf {
        let (library, source) = (installed(), root().join(self.source));
        let stem = source.file_stem().expect("a source has a name").to_string_lossy().into_owned();
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{stem}-{name}"));
        let standard = match (self.is_cpp(), stem.as_str()) {
            (true, "coroutine") => "-std=c++20",
            (true, _) => "-std=c++17",
            (false, "header") => "-std=c99",
            (false, _) => "-std=gnu11",
        };
        let libraries = library.join("lib");
        let mut command = Command::new(self.compiler);
        command.args([standard, "-g", "-Wall", "-Wextra", "-Werror"]).arg("-I").arg(library.join("include"));
        command.arg(&source).arg("-o").arg(&program).arg("-L").arg(&libraries).arg("-lraddle");
        command.arg(format!("-Wl,-rpath,{}", libraries.display())).arg("-lpthread").args(self.flags);
        run(&mut command);
        program
    }

    /// Compiles and runs it.
    fn run(&self, name: &str) {
        let said = run(Command::new("timeout").arg(LIMIT_S).arg(self.build(name)).arg(programs()));
        println!("{} {}: {}", self.compiler, self.flags.join(" "), said.trim());
    }

    /// Runs it with each compiler; with everything wanted under sanitizers and valgrind as well.
    fn run_all(&self) {
        if !has(self.compiler) {
            return;
        }
        self.run("plain");
        let clang = if self.is_cpp() { "clang++" } else { "clang" };
        if has(clang) {
            Host { compiler: clang, ..*self }.run("clang");
        }
        if wants_all() {
            let flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
            Host { flags: &[&flags, self.flags].concat(), ..*self }.run("sanitized");
            self.run_under_valgrind();
        }
    }

    fn run_under_valgrind(&self) {
        assert!(has("valgrind"));
        let mut command = Command::new("timeout");
        command.args([LIMIT_S, "valgrind", "--quiet", "--error-exitcode=99", "--leak-check=full"]);
        command.args(["--show-leak-kinds=definite", "--errors-for-leak-kinds=definite", "--fair-sched=yes"]);
        run(command.arg(self.build("valgrind")).arg(programs()));
    }
}

macro_rules! hosts {
    ($($name:ident: $compiler:literal $source:literal;)*) => { $(
        #[test]
        fn $name() {
            Host { source: $source, compiler: $compiler, flags: &[] }.run_all();
        }
    )* };
}

hosts! {
    every_noun: "cc" "tests/c/basics.c";
    native_functions_sources_and_the_low_level: "cc" "tests/c/native.c";
    wait_sources: "cc" "tests/c/sources.c";
    random_sequences: "cc" "tests/c/sequences.c";
    misuse_is_a_status_or_an_abort: "cc" "tests/c/misuse.c";
    many_threads: "cc" "tests/c/threads.c";
    tensors_and_fences: "cc" "tests/c/tensors.c";
    tensors_of_other_libraries: "cc" "tests/c/dlpack.c";
    types_and_states_of_the_host_s: "cc" "tests/c/objects.c";
    exceptions: "c++" "tests/c/throws.cpp";
    wrappers: "c++" "tests/c/wrappers.cpp";
    example_first_call: "cc" "examples/first_call.c";
    example_async_value: "c++" "examples/async_value.cpp";
    example_two_sources: "c++" "examples/two_sources.cpp";
    example_coroutine: "c++" "examples/coroutine.cpp";
    example_epoll_loop: "cc" "examples/epoll_loop.c";
}

/// Not under sanitizers and valgrind, which are allocators themselves.
#[test]
fn the_allocator_hook() {
    Host { source: "tests/c/hooks.c", compiler: "cc", flags: &[] }.run("plain");
}

#[test]
fn the_header_is_plain_c99_and_may_come_twice() {
    Host { source: "tests/c/header.c", compiler: "cc", flags: &["-pedantic"] }.run("plain");
}

/// The functions that the header declares.
fn declared() -> Vec<String> {
    let header = std::fs::read_to_string(root().join("include/raddle.h")).expect("the header is there");
    let starts = header.match_indices("raddle_").map(|(at, _)| &header[at..]);
    let names = starts.filter_map(|rest| {
        let (name, _) = rest.split_once(|c: char| !c.is_alphanumeric() && c != '_')?;
        rest[name.len()..].starts_with('(').then(|| name.to_owned())
    });
    names.collect()
}

#[test]
fn no_function_minds_nulls() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("all_nulls");
    std::fs::create_dir_all(&folder).expect("a folder");
    let calls: String = declared().iter().map(|name| format!("FUNCTION({name})\n")).collect();
    std::fs::write(folder.join("functions.inc"), calls).expect("a file");
    let include = format!("-I{}", folder.display());
    let flags = [include.as_str(), "-Wno-cast-function-type"];
    Host { source: "tests/c/all_nulls.c", compiler: "cc", flags: &flags }.run("plain");
}

#[test]
fn every_function_is_used_by_a_test_or_an_example() {
    let folders =
        ["tests/c", "examples", "include"].map(|folder| root().join(folder).read_dir().expect("a folder"));
    let files = folders.into_iter().flatten().map(|entry| entry.expect("an entry").path());
    // The C++ header is used by its own tests; the C one declares them all.
    let users = files.filter(|path| !path.ends_with("raddle.h"));
    let text: String = users.map(|path| std::fs::read_to_string(path).expect("sources are UTF-8")).collect();
    let used: Vec<&str> = text.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let unused: Vec<String> = declared().into_iter().filter(|name| !used.contains(&name.as_str())).collect();
    assert!(unused.is_empty(), "nobody calls {unused:?}");
}

#[test]
fn the_shared_library_shows_its_interface_and_nothing_of_rust() {
    let library = installed().join("lib/libraddle.so");
    let shown = run(Command::new("nm").args(["--dynamic", "--defined-only"]).arg(&library));
    let mut count = 0;
    for line in shown.lines() {
        let symbol = line.split_whitespace().last().unwrap_or_default();
        assert!(
            symbol == "RADDLE_0" || (symbol.starts_with("raddle_") && symbol.ends_with("@@RADDLE_0")),
            "{line}"
        );
        count += 1;
    }
    assert_eq!(count - 1, declared().len(), "every declared function is there, and no other");
    let dynamic = run(Command::new("readelf").args(["--dynamic", "--wide"]).arg(&library));
    assert!(dynamic.contains("soname: [libraddle.so.0]"), "{dynamic}");
}

/// With everything wanted: the flags of a package, from pkg-config.
fn package(name: &str) -> Vec<String> {
    let flags = run(Command::new("pkg-config").args(["--cflags", "--libs", name]));
    flags.split_whitespace().map(str::to_owned).collect()
}

fn run_with_package(source: &str, name: &str) {
    if wants_all() {
        let flags = package(name);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let host = Host { source, compiler: "cc", flags: &flags };
        host.run("plain");
        host.run_under_valgrind();
    }
}

#[test]
fn example_glib_loop() {
    run_with_package("examples/glib_loop.c", "glib-2.0");
}

#[test]
fn example_uv_loop() {
    run_with_package("examples/uv_loop.c", "libuv");
}

/// Runs a script against the installed library.
fn run_script(python: &Path, source: &str) {
    let mut command = Command::new("timeout");
    command.arg(LIMIT_S).arg(python).arg(root().join(source));
    command.arg(installed().join("lib/libraddle.so")).arg(programs());
    println!("{}", run(&mut command).trim());
}

#[test]
fn example_asyncio_loop() {
    if wants_all() {
        run_script(Path::new("python3"), "examples/asyncio_loop.py");
    }
}

/// With each Python that has NumPy: the system's, and the one that IREE's tools were installed for, whose NumPy is newer.
#[test]
fn example_numpy_tensors() {
    if !wants_all() {
        return;
    }
    let mut pythons = vec![PathBuf::from("python3"), PathBuf::from("/usr/bin/python3")];
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a folder of build outputs");
    pythons.extend(
        target.read_dir().into_iter().flatten().flatten().map(|entry| entry.path().join("bin/python")),
    );
    let has_numpy = |python: &&PathBuf| {
        let output = Command::new(python).args(["-c", "import numpy; numpy.from_dlpack"]).output();
        output.is_ok_and(|output| output.status.success())
    };
    let fit: Vec<&PathBuf> = pythons.iter().filter(has_numpy).collect();
    assert!(!fit.is_empty(), "NumPy is missing, and RADDLE_HOSTS=all wants it");
    fit.into_iter().for_each(|python| run_script(python, "examples/numpy_tensors.py"));
}

/// An example of a user who knows nothing but the package's name, linked both ways.
#[test]
fn pkg_config_finds_the_library() {
    if !wants_all() {
        return;
    }
    let ask = |words: &[&str]| {
        let mut command = Command::new("pkg-config");
        command.env("PKG_CONFIG_PATH", installed().join("lib/pkgconfig")).args(words);
        command.output().expect("pkg-config runs")
    };
    let version = ask(&["--modversion", "raddle"]).stdout;
    assert_eq!(String::from_utf8_lossy(&version).trim(), env!("CARGO_PKG_VERSION"));
    assert!(!ask(&["--exists", "raddle >= 99"]).status.success(), "it is not that new");
    for kind in ["--shared", "--static"] {
        let output = ask(&["--cflags", "--libs", kind, "raddle >= 0.1"]);
        assert!(output.status.success(), "{output:?}");
        let flags = String::from_utf8(output.stdout).expect("flags are text");
        // Both libraries lie in one folder, where the linker prefers the shared one.
        let flags = if kind == "--static" { flags.replace("-lraddle", "-l:libraddle.a") } else { flags };
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("pkg-config{kind}"));
        let mut command = Command::new("cc");
        command.arg(root().join("examples/epoll_loop.c")).arg("-o").arg(&program);
        run(command.args(flags.split_whitespace()));
        let needed = run(Command::new("readelf").args(["--dynamic", "--wide"]).arg(&program));
        assert_eq!(needed.contains("libraddle.so.0"), kind == "--shared", "{needed}");
        let mut command = Command::new("timeout");
        command.env("LD_LIBRARY_PATH", installed().join("lib")).arg(LIMIT_S).arg(&program).arg(programs());
        run(&mut command);
    }
}

#[test]
fn cmake_finds_the_library() {
    if !wants_all() {
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cmake");
    let configure = |wanted: &str| {
        // From nothing: a cache of an earlier run would hide what is missing.
        let _ = std::fs::remove_dir_all(&folder);
        let mut command = Command::new("cmake");
        command.arg("-S").arg(root().join("tests/cmake")).arg("-B").arg(&folder);
        command.arg(format!("-DWANTED={wanted}"));
        command.arg(format!("-DCMAKE_PREFIX_PATH={}", installed().display())).output().expect("cmake runs")
    };
    for other in ["0.9", "1.0"] {
        assert!(!configure(other).status.success(), "it is not version {other}");
    }
    let output = configure("0.1");
    assert!(output.status.success(), "{output:?}");
    run(Command::new("cmake").arg("--build").arg(&folder));
    for program in ["shared", "static"] {
        run(Command::new("timeout").arg(LIMIT_S).arg(folder.join(program)).arg(programs()));
    }
}
