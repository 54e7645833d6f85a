//! Times of calls in the forms of Google Benchmark: for the screen, as CSV and as JSON, so that its users' scripts read them.
//!
//! Not here: taking the times ([`crate::commands`]).

use raddle_status::{Code, Error, Result};
use serde_json::{Value, json};
use std::time::SystemTime;

/// In which form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    Console,
    Csv,
    Json,
}

impl Form {
    /// # Errors
    /// INVALID_ARGUMENT: there is no such form.
    pub fn parse(name: &str) -> Result<Form> {
        match name {
            "console" => Ok(Form::Console),
            "csv" => Ok(Form::Csv),
            "json" => Ok(Form::Json),
            _ => Err(Error::new(
                Code::InvalidArgument,
                format!("a report is console, csv or json, not '{name}'"),
            )),
        }
    }
}

/// The unit of times.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Unit {
    name: &'static str,
    per_second: f64,
}

impl Unit {
    /// # Errors
    /// INVALID_ARGUMENT: there is no such unit.
    pub fn parse(name: &str) -> Result<Unit> {
        let units = [("ns", 1e9), ("us", 1e6), ("ms", 1e3), ("s", 1.0)];
        let found = units.into_iter().find(|(unit, _)| *unit == name);
        found.map(|(name, per_second)| Unit { name, per_second }).ok_or_else(|| {
            Error::new(Code::InvalidArgument, format!("a unit of time is ns, us, ms or s, not '{name}'"))
        })
    }
}

/// One repetition.
#[derive(Clone, Copy, Debug)]
pub struct Repetition {
    pub iterations: u64,
    /// By the clock, for one iteration. Unit: seconds.
    pub real: f64,
    /// Of all processors, for one iteration. Unit: seconds.
    pub processor: f64,
    /// Calls in a second.
    pub rate: f64,
}

/// What was measured.
pub struct Report<'a> {
    pub name: &'a str,
    pub unit: Unit,
    pub repetitions: &'a [Repetition],
    /// Whether single repetitions are left out.
    pub aggregates_only: bool,
}

/// A line of a report.
struct Row {
    name: String,
    /// `None` for a single repetition.
    aggregate: Option<&'static str>,
    index: usize,
    iterations: u64,
    real: f64,
    processor: f64,
    rate: f64,
}

impl Report<'_> {
    /// The report as text.
    pub fn text(&self, form: Form) -> String {
        match form {
            Form::Console => self.console(),
            Form::Csv => self.csv(),
            Form::Json => self.json(),
        }
    }

    /// Repetitions and, if there are several, what they have in common. Times in the report's unit, save the
    /// coefficient of variation.
    fn rows(&self) -> Vec<Row> {
        let all = self.repetitions;
        let row = |name: String, aggregate, index, values: Repetition, scale: f64| Row {
            name,
            aggregate,
            index,
            iterations: values.iterations,
            real: values.real * scale,
            processor: values.processor * scale,
            rate: values.rate,
        };
        let mut rows = Vec::new();
        if all.len() < 2 || !self.aggregates_only {
            let single = |(index, values): (usize, &Repetition)| {
                row(self.name.to_owned(), None, index, *values, self.unit.per_second)
            };
            rows.extend(all.iter().enumerate().map(single));
        }
        if all.len() >= 2 {
            for (aggregate, of) in AGGREGATES {
                let field = |field: fn(&Repetition) -> f64| of(&all.iter().map(field).collect::<Vec<f64>>());
                let values = Repetition {
                    iterations: all.len() as u64,
                    real: field(|one| one.real),
                    processor: field(|one| one.processor),
                    rate: field(|one| one.rate),
                };
                let scale = if aggregate == "cv" { 1.0 } else { self.unit.per_second };
                rows.push(row(format!("{}_{aggregate}", self.name), Some(aggregate), 0, values, scale));
            }
        }
        rows
    }

    fn console(&self) -> String {
        let rows = self.rows();
        let wide = rows.iter().map(|row| row.name.len()).max().unwrap_or(0).max(10);
        let head = format!(
            "{:<wide$} {:>15} {:>15} {:>12} UserCounters...",
            "Benchmark", "Time", "CPU", "Iterations"
        );
        let line = "-".repeat(head.len());
        let mut text = format!("{line}\n{head}\n{line}\n");
        for row in rows {
            let unit = self.unit.name;
            let time = |value: f64| match row.aggregate {
                Some("cv") => format!("{:.2} % ", value * 100.0),
                _ => format!("{value:.3} {unit:<2}"),
            };
            let rate = match row.aggregate {
                Some("cv") => format!("{:.2}%", row.rate * 100.0),
                _ => format!("{}/s", short(row.rate)),
            };
            let (real, processor) = (time(row.real), time(row.processor));
            text += &format!(
                "{:<wide$} {real:>15} {processor:>15} {:>12} items_per_second={rate}\n",
                row.name, row.iterations
            );
        }
        text
    }

    fn csv(&self) -> String {
        let mut text = "name,iterations,real_time,cpu_time,time_unit,bytes_per_second,items_per_second,label,error_occurred,error_message\n".to_owned();
        for row in self.rows() {
            let unit = if row.aggregate == Some("cv") { "" } else { self.unit.name };
            let name = row.name.replace('"', "\"\"");
            text += &format!(
                "\"{name}\",{},{},{},{unit},,{},,,\n",
                row.iterations, row.real, row.processor, row.rate
            );
        }
        text
    }

    fn json(&self) -> String {
        let benchmarks: Vec<Value> = self.rows().iter().map(|row| self.json_row(row)).collect();
        let report = json!({ "context": context(), "benchmarks": benchmarks });
        format!("{report:#}\n")
    }

    fn json_row(&self, row: &Row) -> Value {
        let mut value = json!({
            "name": row.name,
            "family_index": 0,
            "per_family_instance_index": 0,
            "run_name": self.name,
            "run_type": if row.aggregate.is_some() { "aggregate" } else { "iteration" },
            "repetitions": self.repetitions.len(),
            "threads": 1,
            "iterations": row.iterations,
            "real_time": row.real,
            "cpu_time": row.processor,
            "time_unit": self.unit.name,
            "items_per_second": row.rate,
        });
        match row.aggregate {
            None => value["repetition_index"] = row.index.into(),
            Some(aggregate) => {
                value["aggregate_name"] = aggregate.into();
                value["aggregate_unit"] = if aggregate == "cv" { "percentage" } else { "time" }.into();
            }
        }
        value
    }
}

/// Where it was measured.
fn context() -> Value {
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    let program = std::env::current_exe().ok().map(|path| path.display().to_string());
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<f64> = load.split(' ').take(3).filter_map(|word| word.parse().ok()).collect();
    json!({
        "date": humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        "host_name": host.unwrap_or_default(),
        "executable": program.unwrap_or_default(),
        "num_cpus": std::thread::available_parallelism().map_or(1, usize::from),
        "load_avg": load,
        "library_build_type": if cfg!(debug_assertions) { "debug" } else { "release" },
        "json_schema_version": 1,
    })
}

/// A number for many.
type Aggregate = fn(&[f64]) -> f64;

/// What repetitions have in common, by name.
const AGGREGATES: [(&str, Aggregate); 4] = [
    ("mean", mean),
    ("median", median),
    ("stddev", deviation),
    ("cv", |values| deviation(values) / mean(values)),
];

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}

/// The deviation of a sample.
fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (values.len() - 1) as f64).sqrt()
}

/// Six digits and a prefix of the power of 1,000.
fn short(value: f64) -> String {
    let prefixes = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    let (scale, prefix) = prefixes.into_iter().find(|(scale, _)| value >= *scale).unwrap_or((1.0, ""));
    let scaled = value / scale;
    let digits = if scaled > 0.0 { (5 - scaled.log10().floor() as i32).max(0) as usize } else { 0 };
    let text = format!("{scaled:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{prefix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(repetitions: &[Repetition]) -> Report<'_> {
        Report { name: "BM_f", unit: Unit::parse("us").unwrap(), repetitions, aggregates_only: false }
    }

    fn repetition(us: f64) -> Repetition {
        Repetition { iterations: 10, real: us * 1e-6, processor: us * 5e-7, rate: 1e6 / us }
    }

    #[test]
    fn aggregates_follow_the_repetitions() {
        let repetitions = [repetition(2.0), repetition(4.0), repetition(8.0), repetition(6.0)];
        let rows = report(&repetitions).rows();
        let found: Vec<_> = rows.iter().map(|row| (&*row.name, (row.real * 1e4).round() / 1e4)).collect();
        let deviation = (20.0f64 / 3.0).sqrt();
        let expected = [
            ("BM_f", 2.0),
            ("BM_f", 4.0),
            ("BM_f", 8.0),
            ("BM_f", 6.0),
            ("BM_f_mean", 5.0),
            ("BM_f_median", 5.0),
            ("BM_f_stddev", (deviation * 1e4).round() / 1e4),
            ("BM_f_cv", (deviation / 5.0 * 1e4).round() / 1e4),
        ];
        assert_eq!(found, expected);
        assert_eq!(report(&repetitions[..1]).rows().len(), 1);
    }

    #[test]
    fn forms_are_read_by_others() {
        let repetitions = [repetition(2.0), repetition(4.0)];
        let report = report(&repetitions);
        let json: Value = serde_json::from_str(&report.text(Form::Json)).unwrap();
        let rows = json["benchmarks"].as_array().unwrap();
        assert_eq!((rows.len(), rows[1]["real_time"].as_f64()), (6, Some(4.0)));
        assert!(rows[5]["aggregate_name"] == "cv" && rows[5]["aggregate_unit"] == "percentage");
        assert!(json["context"]["num_cpus"].as_u64() > Some(0) && json["context"]["date"].is_string());
        let csv = report.text(Form::Csv);
        assert!(
            csv.lines().all(|line| line.split(',').count() == 10)
                && csv.contains("\"BM_f_mean\",2,3,1.5,us,,375000,,,")
        );
        let console = report.text(Form::Console);
        assert!(console.contains("items_per_second=500k/s") && console.contains("2.000 us"), "{console}");
    }

    #[test]
    fn rates_have_six_digits() {
        let found = [0.0, 1.5, 999.0, 1234.5678, 470_256.0, 1_324_830.0].map(short);
        assert_eq!(found, ["0", "1.5", "999", "1.23457k", "470.256k", "1.32483M"]);
    }
}
