//! Link options of the program.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = |name| env::var(name).unwrap_or_default();
    // Relative relocations take a megabyte of resident memory in their old form, and next to nothing packed. Needs glibc
    // 2.36 or musl 1.2.4; a linker that does not know it says so and goes on.
    if target("CARGO_CFG_TARGET_OS") == "linux" && target("PROFILE") == "release" {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    // Functions that come to the same code are kept once. Of the linkers that may stand here only the compiler's own, which
    // it takes for this target, knows how.
    if target("TARGET") == "x86_64-unknown-linux-gnu" && target("PROFILE") == "release" {
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
    }
}
