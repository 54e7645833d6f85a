//! The flags of `iree-run-module` 3.13, and what `raddle run` does with each.
//!
//! `docs/cli.md` is made from this table. Not here: the flags that `run` implements ([`crate::commands`]).

use crate::flags::Flags;
use raddle_status::{Code, Error, Result};
use std::ffi::OsString;

/// What a flag leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Treatment {
    /// As in stock.
    Same,
    /// Read and forgotten: nothing that raddle does depends on it.
    NoEffect,
    /// An error with this reason, unless it has its default value.
    Refused(&'static str),
}

use Treatment::{NoEffect, Refused, Same};

/// A stock flag: name, default as stock's help prints it, treatment.
pub struct Stock {
    pub name: &'static str,
    pub default: &'static str,
    pub treatment: Treatment,
}

const fn row(name: &'static str, default: &'static str, treatment: Treatment) -> Stock {
    Stock { name, default, treatment }
}

const DEVICES: Treatment = Refused("devices are used as they are");
const PROFILE: Treatment = Refused("there are no devices to profile yet");
const REPLAY: Treatment = Refused("there is no device work to record");

/// Every flag of `iree-run-module --help`, in its order.
pub const STOCK: &[Stock] = &[
    row("help", "", Same),
    row("flagfile", "", Same),
    row("cuda_use_streams", "true", NoEffect),
    row("cuda_allow_inline_execution", "false", NoEffect),
    row("cuda_async_allocations", "true", NoEffect),
    row("cuda_tracing", "2", NoEffect),
    row("cuda_default_index", "0", NoEffect),
    row("cuda_default_index_from_mpi", "true", NoEffect),
    row("hip_dylib_path", "", NoEffect),
    row("hip_use_streams", "true", NoEffect),
    row("hip_allow_inline_execution", "false", NoEffect),
    row("hip_async_allocations", "true", NoEffect),
    row("hip_async_caching", "true", NoEffect),
    row("hip_tracing", "2", NoEffect),
    row("hip_default_index", "0", NoEffect),
    row("task_abort_on_failure", "false", NoEffect),
    row("vulkan_libvulkan_search_path", "", NoEffect),
    row("vulkan_validation_layers", "false", NoEffect),
    row("vulkan_debug_utils", "false", NoEffect),
    row("vulkan_debug_verbosity", "2", NoEffect),
    row("vulkan_tracing", "true", NoEffect),
    row("vulkan_robust_buffer_access", "false", NoEffect),
    row("vulkan_sparse_binding", "false", NoEffect),
    row("vulkan_sparse_residency", "false", NoEffect),
    row("vulkan_buffer_device_addresses", "true", NoEffect),
    row("vulkan_dispatch_abi", "all", NoEffect),
    row("vulkan_cached_bda_replay_instances", "16", NoEffect),
    row("vulkan_cached_bda_replay_publication_bytes", "67108864", NoEffect),
    row("vulkan_retained_cached_bda_replay_instances", "1", NoEffect),
    row("vulkan_dedicated_compute_queue", "true", NoEffect),
    row("executable_plugin", "", DEVICES),
    row("task_worker_spin_us", "0", NoEffect),
    row("task_worker_stack_size", "131072", NoEffect),
    row("task_worker_local_memory", "0", NoEffect),
    row("task_topology_mode", "physical_cores", NoEffect),
    row("task_topology_group_count", "0", NoEffect),
    row("task_topology_cpu_ids", "", NoEffect),
    row("task_topology_nodes", "current", NoEffect),
    row("task_topology_max_group_count", "64", NoEffect),
    row("task_topology_snapshot", "", NoEffect),
    row("task_topology_performance_level", "any", NoEffect),
    row("task_topology_distribution", "scatter", NoEffect),
    row("task_topology_favor", "", NoEffect),
    row("dump_task_topologies", "", Refused("a run of a function starts no workers")),
    row("expected_f16_threshold", "0.001", NoEffect),
    row("expected_f32_threshold", "0.0001", Same),
    row("expected_f64_threshold", "0.0001", Same),
    row("expected_bf16_threshold", "0.01", NoEffect),
    row("expected_rtol", "1e-05", Same),
    row("equality_mode", "approximate", Same),
    row("module", "", Same),
    row("module_mode", "preload", Same),
    row("device_lead_allocator", "0", DEVICES),
    row("device_replay_output", "", REPLAY),
    row("device_replay_file_policy", "reference", NoEffect),
    row("device_replay_file_validation", "identity", NoEffect),
    row(
        "trace_execution",
        "false",
        Refused("there is no trace of single instructions; raddle dump shows them"),
    ),
    row("list_drivers", "", Same),
    row("list_devices", "", Same),
    row("dump_devices", "", Same),
    row("device_allocator", "", DEVICES),
    row("device", "", Same),
    row("device_profiling_mode", "", PROFILE),
    row("device_profiling_output", "", PROFILE),
    row("device_profiling_filter_function", "", PROFILE),
    row("device_profiling_filter_command_buffer", "-1", PROFILE),
    row("device_profiling_filter_command_index", "-1", PROFILE),
    row("device_profiling_filter_physical_device", "-1", PROFILE),
    row("device_profiling_filter_queue", "-1", PROFILE),
    row("device_profiling_counter", "", PROFILE),
    row("device_profiling_flush_interval_ms", "0", PROFILE),
    row("print_device_statistics", "false", Same),
    row("device_capture_tool", "", PROFILE),
    row("device_capture_file", "", PROFILE),
    row("device_capture_label", "", PROFILE),
    row("instrument_file", "", PROFILE),
    row("parameter_mode", "file", DEVICES),
    row("parameters", "", Same),
    row("output", "", Same),
    row("expected_output", "", Same),
    row("output_max_element_count", "1024", NoEffect),
    row("function", "", Same),
    row("input", "", Same),
    row("print_statistics", "false", Same),
    row("agents_md", "false", Refused("raddle --help and docs/cli.md are all there is")),
];

const SWITCHED: Treatment = Refused("a call is timed as a whole");

/// The flags of `iree-benchmark-module --help` that `iree-run-module` does not have.
pub const STOCK_BENCH: &[Stock] = &[
    row("batch_concurrency", "1", Same),
    row("batch_size", "1", Same),
    row("dispatch_statistics", "false", SWITCHED),
    row("enable_output_processing", "false", Refused("raddle run looks at results")),
    row("benchmark_list_tests", "false", Same),
    row("benchmark_filter", "", Refused("the function is named by --function")),
    row("benchmark_min_time", "", Same),
    row("benchmark_min_warmup_time", "", Same),
    row("benchmark_repetitions", "", Same),
    row("benchmark_dry_run", "false", Refused("--benchmark_min_time=1x runs once")),
    row("benchmark_enable_random_interleaving", "false", NoEffect),
    row("benchmark_report_aggregates_only", "false", Same),
    row("benchmark_display_aggregates_only", "false", Same),
    row("benchmark_format", "console", Same),
    row("benchmark_out", "", Same),
    row("benchmark_out_format", "json", Same),
    row("benchmark_color", "auto", NoEffect),
    row("benchmark_counters_tabular", "false", NoEffect),
    row("benchmark_context", "", NoEffect),
    row("benchmark_time_unit", "ms", Same),
    row("v", "0", NoEffect),
];

/// The text without the quotes that stock's help puts around defaults.
pub fn unquoted(text: &str) -> &str {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

/// Takes the flags that stock knows (those of every tool and `more`) and nobody asked for, and refuses those that would change what happens.
///
/// # Errors
/// UNIMPLEMENTED: a flag is refused. INVALID_ARGUMENT: stock does not know it either.
pub fn take_others(flags: &mut Flags, more: &[Stock]) -> Result {
    for (flag, value) in flags.take_rest() {
        let name = flag.trim_start_matches("--");
        let value = value.map(|value| value.to_string_lossy().into_owned());
        let found = STOCK.iter().chain(more).find(|stock| stock.name == name);
        match found.map(|stock| (stock.default, stock.treatment)) {
            Some((_, NoEffect)) => {}
            Some((default, Refused(_)))
                if value.as_deref().is_some_and(|value| unquoted(value) == default) => {}
            Some((_, Refused(reason))) => {
                return Err(Error::new(Code::Unimplemented, format!("--{name} is refused: {reason}")));
            }
            Some((_, Same)) => {
                return Err(Error::new(
                    Code::InvalidArgument,
                    format!("--{name} needs a value: --{name}=value"),
                ));
            }
            None => return Err(Error::new(Code::InvalidArgument, format!("there is no flag {flag}"))),
        }
    }
    Ok(())
}

/// How deep flag files may name flag files. Unit: files.
const DEPTH_MAX: u32 = 16;

/// Replaces each `--flagfile` by the flags in the file, one a line; `#` starts a comment.
///
/// # Errors
/// INVALID_ARGUMENT: a line is no flag, or files name each other in a circle. Those of reading.
pub fn expand_flagfiles(flags: &mut Flags) -> Result {
    for _ in 0..DEPTH_MAX {
        let mut expanded = false;
        let mut all = Vec::new();
        for (flag, value) in flags.take_rest() {
            match value {
                Some(path) if flag == "--flagfile" => {
                    all.extend(lines(&path)?);
                    expanded = true;
                }
                value => all.push((flag, value)),
            }
        }
        flags.put_back(all);
        if !expanded {
            return Ok(());
        }
    }
    Err(Error::new(Code::InvalidArgument, "flag files name flag files without end"))
}

fn lines(path: &std::ffi::OsStr) -> Result<Vec<(String, Option<OsString>)>> {
    let text = String::from_utf8_lossy(&crate::input::read(path)?).into_owned();
    let mut flags = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if !line.starts_with("--") {
            let text = format!("'{line}' in --flagfile={} is no flag", path.to_string_lossy());
            return Err(Error::new(Code::InvalidArgument, text));
        }
        flags.push(match line.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(unquoted(value).into())),
            None => (line.to_owned(), None),
        });
    }
    Ok(flags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::process::Command;

    const BEFORE: &str = include_str!("stock_before.md");

    fn page() -> String {
        let rows = |table: &[Stock]| {
            let row = |stock: &Stock| {
                let (what, why) = match stock.treatment {
                    Same => ("same", ""),
                    NoEffect => ("accepted without effect", ""),
                    Refused(reason) => ("refused", reason),
                };
                format!("| `--{}` | {what} | {why} |\n", stock.name)
            };
            table.iter().map(row).collect::<String>()
        };
        let between = "\n`raddle bench` takes these besides, as `iree-benchmark-module` does:\n\n| flag | in `raddle bench` | reason |\n|---|---|---|\n";
        [BEFORE, &rows(STOCK), between, &rows(STOCK_BENCH)].concat()
    }

    #[test]
    fn the_page_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
        if std::env::var_os("RADDLE_BLESS").is_some() {
            std::fs::write(path, page()).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(kept == page(), "docs/cli.md is stale: run with RADDLE_BLESS=1");
    }

    const RUN_MODULE: &str = "RADDLE_IREE_RUN_MODULE";

    /// The flags that the help of a tool names; `None` if it is not installed.
    fn installed(variable: &str, tool: &str) -> Option<BTreeSet<String>> {
        let tool = std::env::var_os(variable).unwrap_or_else(|| tool.into());
        let Ok(output) = Command::new(&tool).arg("--help").output() else {
            let is_required = std::env::var_os("RADDLE_STOCK_REQUIRED").is_some();
            assert!(!is_required || variable != RUN_MODULE, "tests/with-stock installs iree-run-module");
            println!("{} is not installed: the table was not compared", tool.display());
            return None;
        };
        let help =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        let name = |line: &str| {
            let rest = line.trim_start_matches(['#', '[', ' ']).strip_prefix("--")?;
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            Some(rest[..end].to_owned())
        };
        let is_flag =
            |line: &&str| line.starts_with("--") || line.starts_with("# --") || line.contains("[--");
        let lines = help.lines().filter(is_flag).filter(|line| !line.contains(", or "));
        Some(lines.filter_map(|line| name(&line[line.find("[--").unwrap_or(0)..])).collect())
    }

    fn names<'a>(tables: impl IntoIterator<Item = &'a [Stock]>) -> BTreeSet<String> {
        tables.into_iter().flatten().map(|stock| stock.name.to_owned()).collect()
    }

    #[test]
    fn the_tables_are_those_of_the_installed_tools() {
        if let Some(installed) = installed(RUN_MODULE, "iree-run-module") {
            assert_eq!(installed, names([STOCK]));
        }
        if let Some(installed) = installed("RADDLE_IREE_BENCHMARK_MODULE", "iree-benchmark-module") {
            // One that only `iree-run-module` has.
            let mut ours = names([STOCK, STOCK_BENCH]);
            assert!(ours.remove("instrument_file"));
            assert_eq!(installed, ours);
        }
    }
}
