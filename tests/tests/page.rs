//! The table of instructions and tests is that of the scripts.

#[test]
fn the_page_is_fresh() {
    let path = raddle_tests::scripts::root().join("docs/opcodes.md");
    let page = raddle_tests::page::page();
    if std::env::var_os("RADDLE_BLESS").is_some() {
        std::fs::write(&path, &page).expect("a writable folder");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == page, "docs/opcodes.md is stale: run with RADDLE_BLESS=1");
    let missing: Vec<&str> = page.lines().filter(|row| row.contains("**missing**")).collect();
    assert!(missing.is_empty(), "instructions without a check of one kind:\n{}", missing.join("\n"));
}
