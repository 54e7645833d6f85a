//! `raddle run` prints what `iree-run-module` prints, for every program of `tests/programs/hal/expected.txt`.

use std::path::{Path, PathBuf};
use std::process::Command;

struct Call {
    line: String,
    flags: Vec<String>,
    expected: String,
}

fn calls(text: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with("# ") && !line.is_empty()) {
        match (line.strip_prefix("$ run --"), calls.last_mut()) {
            (Some(flags), _) => calls.push(Call {
                line: line.to_owned(),
                flags: flags.split(" --").map(|flag| format!("--{flag}")).collect(),
                expected: String::new(),
            }),
            (None, Some(call)) => call.expected.push_str(&format!("{line}\n")),
            (None, None) => panic!("a line before the first call: {line}"),
        }
    }
    calls
}

#[test]
fn programs_print_what_stock_prints() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/programs/hal");
    let calls = calls(&std::fs::read_to_string(folder.join("expected.txt")).unwrap());
    assert!(calls.len() > 50, "calls are missing");
    for call in calls {
        for device in ["--device=local-task", "--device=local-sync"] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_raddle"));
            command.current_dir(&folder).arg("run").args(&call.flags).arg(device);
            let output = command.output().unwrap();
            let (stdout, stderr) =
                (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            // Errors are told in words of our own; what was printed before them is the same.
            let is_success =
                !call.expected.contains("; invoking function") && !call.expected.contains("NOT_FOUND;");
            assert_eq!(output.status.success(), is_success, "{}: {stderr}", call.line);
            match is_success {
                true => assert_eq!(stdout, call.expected, "{} {device}", call.line),
                false => assert!(call.expected.starts_with(&*stdout) && !stderr.is_empty(), "{}", call.line),
            }
        }
    }
}

#[test]
fn tensors_are_compared_with_what_is_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/programs/hal");
    let run = |expected: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_raddle"));
        let flags = ["run", "--module=abs.sync.vmfb", "--function=abs", "--input=f32=-2", expected];
        let output = command.current_dir(&folder).args(flags).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, text) = run("--expected_output=f32=2");
    assert!(code == Some(0) && text.contains("[SUCCESS]"), "{text}");
    let (code, text) = run("--expected_output=f32=3");
    assert!(code == Some(9) && text.contains("[FAILED] result[0]: "), "{text}");
}

/// Numbers from a seed: xorshift, since nothing here needs more.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    /// The bytes of an element; integers behind the first operand are such as one can shift and divide by.
    fn element(&mut self, ty: &str, is_first: bool, is_positive: bool) -> Vec<u8> {
        let number = self.next();
        let float = (number % 100_000) as f64 / 12_500.0 + 0.01;
        let float = if number & (1 << 40) != 0 && !is_positive { -float } else { float };
        let integer = if is_first { number as i64 - (1 << 52) } else { number as i64 % 31 + 1 };
        match ty {
            "f64" => float.to_le_bytes().to_vec(),
            "f32" => (float as f32).to_le_bytes().to_vec(),
            // Halves between 1 and 2.
            "f16" => (0x3c00 | (number as u16 & 0x3ff)).to_le_bytes().to_vec(),
            "i1" => vec![number as u8 & 1],
            _ => integer.to_le_bytes()
                [..ty.trim_start_matches(['s', 'u', 'i']).parse::<usize>().unwrap() / 8]
                .to_vec(),
        }
    }
}

/// What a tensor is called in a flag, `4x8xf32`; `None` for what is no tensor.
fn kind(folder: &Path, input: &str) -> Option<String> {
    let Some(path) = input.strip_prefix('@') else {
        return input.split_once('=').map(|(kind, _)| kind.to_owned());
    };
    let file = std::fs::read(folder.join(path)).unwrap();
    let header = String::from_utf8_lossy(&file[10..128]).into_owned();
    let between =
        |start: &str, end: char| header.split(start).nth(1).unwrap().split(end).next().unwrap().to_owned();
    let (kind, bytes) =
        between("'descr': '<", '\'').split_at_checked(1).map(|(a, b)| (a.to_owned(), b.to_owned()))?;
    let shape = between("'shape': (", ')').replace([',', ' '], " ");
    let shape: String = shape.split_whitespace().map(|extent| format!("{extent}x")).collect();
    Some(format!("{shape}{kind}{}", bytes.parse::<u32>().unwrap() * 8))
}

/// The same call with other tensors of the same types, in files.
fn with_random_inputs(folder: &Path, place: &Path, call: &Call, numbers: &mut Numbers) -> Vec<String> {
    let is_positive =
        ["=log", "=rsqrt", "=math"].iter().any(|end| call.flags.iter().any(|flag| flag.ends_with(end)));
    let mut count = 0;
    let mut change = |flag: &String| {
        let Some(kind) = flag.strip_prefix("--input=").and_then(|input| kind(folder, input)) else {
            return flag.clone();
        };
        let (shape, ty) = kind.rsplit_once('x').unwrap_or(("", &kind));
        let length: usize = shape
            .split('x')
            .filter(|extent| !extent.is_empty())
            .map(|extent| extent.parse::<usize>().unwrap())
            .product();
        let bytes: Vec<u8> = (0..length).flat_map(|_| numbers.element(ty, count == 0, is_positive)).collect();
        let file = place.join(format!("input{count}.bin"));
        std::fs::write(&file, bytes).unwrap();
        count += 1;
        format!("--input={kind}=@{}", file.display())
    };
    call.flags.iter().map(&mut change).collect()
}

fn stock() -> Option<PathBuf> {
    let tool = std::env::var_os("RADDLE_IREE_RUN_MODULE").unwrap_or_else(|| "iree-run-module".into());
    let works = Command::new(&tool).arg("--help").output().is_ok_and(|output| output.status.success());
    let required = std::env::var_os("RADDLE_STOCK_REQUIRED").is_some();
    assert!(works || !required, "iree-run-module is not installed; tests/with-stock installs it");
    if !works {
        println!("NOT COMPARED: iree-run-module is not installed; tests/with-stock installs and compares");
    }
    works.then(|| tool.into())
}

/// The compiler, which stands beside the other tools of IREE or is named; it is no part of what runs programs.
fn compiler(stock: &Path) -> Option<PathBuf> {
    let named = std::env::var_os("RADDLE_IREE_COMPILE").map(PathBuf::from);
    let beside = stock.canonicalize().unwrap_or_else(|_| stock.to_owned()).with_file_name("iree-compile");
    let places = named.into_iter().chain([beside, "iree-compile".into()]);
    let works = |tool: &PathBuf| {
        Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success())
    };
    let found = places.into_iter().find(works);
    if found.is_none() {
        println!("NOT COMPILED: iree-compile is not installed; RADDLE_IREE_COMPILE names it");
    }
    found
}

/// Of each dialect one; what is compared is what both tools print of the same new file.
#[test]
fn programs_that_are_compiled_afresh_run_as_in_stock() {
    let Some(stock) = stock() else { return };
    let Some(compiler) = compiler(&stock) else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/programs");
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("afresh-{}", std::process::id()));
    std::fs::create_dir_all(&place).unwrap();
    let local = ["--iree-hal-target-device=local", "--iree-hal-local-target-device-backends=llvm-cpu"];
    let generic = [&local[..], &["--iree-llvmcpu-target-cpu=generic"]].concat();
    for (source, flags, call) in [
        ("vm/arith.mlir", vec!["--compile-mode=vm"], vec!["--function=gcd", "--input=48", "--input=36"]),
        ("hal/abs.mlir", generic.clone(), vec!["--function=abs", "--input=f32=-2.5"]),
        ("hal/p17_loop.mlir", generic, vec!["--function=loop", "--input=@inputs/p17_x.npy", "--input=3"]),
    ] {
        let module = place.join("afresh.vmfb");
        let mut compile = Command::new("timeout");
        compile.arg("60").arg(&compiler).arg(folder.join(source)).args(&flags).arg("-o").arg(&module);
        let output = compile.output().unwrap();
        assert!(output.status.success(), "{source}: {}", String::from_utf8_lossy(&output.stderr));
        let run = |tool: &Path, verb: &[&str]| {
            let mut command = Command::new("timeout");
            command.current_dir(folder.join("hal")).arg("20").arg(tool).args(verb);
            command.arg(format!("--module={}", module.display())).args(&call);
            let output = command.output().unwrap();
            (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let expected = run(&stock, &[]);
        assert!(expected.0 && expected.1.contains("result[0]"), "{source}: {}", expected.1);
        assert_eq!(run(env!("CARGO_BIN_EXE_raddle").as_ref(), &["run"]), expected, "{source}");
    }
    std::fs::remove_dir_all(&place).unwrap();
}

#[test]
fn random_inputs_give_the_bytes_that_stock_gives() {
    let Some(stock) = stock() else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/programs/hal");
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("random-{}", std::process::id()));
    std::fs::create_dir_all(&place).unwrap();
    let calls = calls(&std::fs::read_to_string(folder.join("expected.txt")).unwrap());
    let mut numbers = Numbers(0x5DEE_CE66_D1CE_4E5B);
    let mut compared = 0;
    for call in calls.iter().filter(|call| call.expected.contains("result[0]: hal.buffer_view")) {
        let mut flags = with_random_inputs(&folder, &place, call, &mut numbers);
        let files: Vec<PathBuf> = (0..call.expected.matches("result[").count())
            .map(|index| place.join(format!("output{index}.bin")))
            .collect();
        flags.extend(files.iter().map(|file| format!("--output=@{}", file.display())));
        let run = |tool: &Path, verb: &[&str], device: &str| {
            files.iter().for_each(|file| drop(std::fs::remove_file(file)));
            let mut command = Command::new("timeout");
            command.current_dir(&folder).arg("20").arg(tool).args(verb).args(&flags).arg(device);
            let output = command.output().unwrap();
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{} {flags:?}: {told}", tool.display());
            files.iter().map(|file| std::fs::read(file).unwrap()).collect::<Vec<_>>()
        };
        let expected = run(&stock, &[], "--device=local-sync");
        for device in ["--device=local-task", "--device=local-sync"] {
            let found = run(env!("CARGO_BIN_EXE_raddle").as_ref(), &["run"], device);
            assert!(found == expected, "{} {device}: other bytes than stock's", call.line);
            compared += 1;
        }
    }
    let _ = std::fs::remove_dir_all(&place);
    assert!(compared > 100, "{compared} calls");
}
