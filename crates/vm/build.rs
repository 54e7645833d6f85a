//! Decides whether the chained engine is built: it needs calls in tail position to become jumps.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(raddle_vm_chained)");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=RADDLE_VM_LOOP_ONLY");
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let arch = variable("CARGO_CFG_TARGET_ARCH");
    let optimised = !matches!(variable("OPT_LEVEL").as_str(), "0" | "");
    let sanitized = !variable("CARGO_CFG_SANITIZE").is_empty() || variable("CARGO_CFG_MIRI") == "1";
    let wanted = variable("RADDLE_VM_LOOP_ONLY").is_empty();
    if matches!(arch.as_str(), "x86_64" | "aarch64") && optimised && !sanitized && wanted {
        println!("cargo::rustc-cfg=raddle_vm_chained");
    }
}
