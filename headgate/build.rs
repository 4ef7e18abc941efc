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
    // What runs at the start and in idle stands together: the kernel maps sixteen pages for each that is touched. Of the
    // linkers that may stand here only the compiler's own, which it takes for this target, knows how. Names that there are
    // none of any more do no harm; `scripts/startup-order` writes the list anew.
    if target("TARGET") == "x86_64-unknown-linux-gnu" && target("PROFILE") == "release" {
        println!("cargo::rerun-if-changed=startup.order");
        let folder = target("CARGO_MANIFEST_DIR");
        println!("cargo::rustc-link-arg-bins=-Wl,--symbol-ordering-file={folder}/startup.order");
        println!("cargo::rustc-link-arg-bins=-Wl,--no-warn-symbol-ordering");
    }
}
