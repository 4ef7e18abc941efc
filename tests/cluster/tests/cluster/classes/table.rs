//! The table of routing §1.1 to §1.3: which configuration of flags serves which Ingress, at first and after each of a series of changes.

/// Flags that headgate is started with.
pub struct Configuration {
    /// How the table calls it.
    pub letter: char,
    /// The flags.
    pub flags: &'static [&'static str],
    /// Whose token it has.
    pub account: Account,
}

/// What headgate may do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// Everything.
    Admin,
    /// Read everything but IngressClasses.
    Blind,
    /// Read IngressClasses, and what is in the namespace `blue`.
    Narrow,
}

const fn with(letter: char, flags: &'static [&'static str]) -> Configuration {
    Configuration { letter, flags, account: Account::Admin }
}

const fn blind(letter: char, flags: &'static [&'static str]) -> Configuration {
    Configuration { letter, flags, account: Account::Blind }
}

const fn narrow(letter: char, flags: &'static [&'static str]) -> Configuration {
    Configuration { letter, flags, account: Account::Narrow }
}

/// All that are compared, side by side in one cluster.
pub const CONFIGURATIONS: &[Configuration] = &[
    with('D', &[]),
    with('E', &["--ingress-class=edge"]),
    with('C', &["--controller-class=example.com/mine"]),
    with('N', &["--ingress-class=other", "--ingress-class-by-name"]),
    with('M', &["--controller-class=example.com/mine", "--ingress-class-by-name=true"]),
    with('W', &["--watch-ingress-without-class"]),
    narrow('O', &["--watch-namespace=blue"]),
    with('L', &["--watch-namespace-selector=team=blue"]),
    with('A', &["--disable-catch-all"]),
    with('I', &["--deep-inspect=false"]),
    with(
        'X',
        &[
            "--watch-namespace-selector=team in (red, green)",
            "--watch-ingress-without-class=true",
            "--ingress-class=edge",
            "--disable-catch-all=true",
        ],
    ),
    blind('F', &[]),
    blind('G', &["--watch-ingress-without-class"]),
];

/// Flags with which headgate does not start, and a word of what it says.
pub const REFUSED: &[(&[&str], &str)] = &[
    (&["--watch-namespace=blue", "--watch-namespace-selector=team=blue"], "mutually exclusive"),
    (&["--watch-namespace-selector=a b"], "watch-namespace-selector"),
];

/// Namespaces with their labels.
pub const NAMESPACES: &[(&str, &[(&str, &str)])] = &[
    ("blue", &[("team", "blue")]),
    ("red", &[("team", "red")]),
    ("green", &[("team", "green")]),
    // Such namespaces are never listed.
    ("tiller", &[("team", "blue"), ("OWNER", "TILLER")]),
];

/// IngressClasses with their controllers.
pub const CLASSES: &[(&str, &str)] = &[
    ("nginx", "k8s.io/ingress-nginx"),
    ("internal", "k8s.io/ingress-nginx"),
    ("mine", "example.com/mine"),
    ("other", "example.com/other"),
    ("edge", "example.com/other"),
];

/// What an Ingress says besides its class.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One rule for a host of its own.
    Host,
    /// The same, and a default backend.
    HostAndDefault,
    /// A default backend only.
    Default,
    /// A rule without a host.
    NoHost,
    /// A path that looks like injected configuration.
    Injected,
}

/// An Ingress, and the letters of those who serve it.
pub struct Row {
    /// Namespace and name.
    pub name: &'static str,
    /// `spec.ingressClassName`.
    pub class: Option<&'static str>,
    /// `kubernetes.io/ingress.class`.
    pub annotation: Option<&'static str>,
    /// What else it says.
    pub shape: Shape,
    /// Letters; anything else only keeps the columns apart.
    pub served: &'static str,
}

const fn row(
    name: &'static str,
    class: Option<&'static str>,
    annotation: Option<&'static str>,
    served: &'static str,
) -> Row {
    Row { name, class, annotation, shape: Shape::Host, served }
}

const fn nginx(name: &'static str, shape: Shape, served: &'static str) -> Row {
    Row { name, class: Some("nginx"), annotation: None, shape, served }
}

/// What there is at first.
#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    row("blue/own",              Some("nginx"),    None,          "D E . N M W O L A I . . G"),
    row("blue/second",           Some("internal"), None,          "D E . N . W O L A I . . G"),
    row("blue/own-annotated",    Some("nginx"),    Some("other"), "D E . N M W O L A I . . ."),
    row("blue/foreign",          Some("other"),    None,          ". . . N . . . . . . . . G"),
    row("blue/foreign-annotated",Some("other"),    Some("nginx"), ". . . N . . . . . . . F G"),
    row("blue/edge",             Some("edge"),     None,          ". . . . . . . . . . . . G"),
    row("blue/unknown",          Some("nowhere"),  None,          ". . . . . . . . . . . . G"),
    row("blue/unknown-annotated",Some("nowhere"),  Some("nginx"), ". . . . . . . . . . . F G"),
    row("blue/mine",             Some("mine"),     None,          ". . C . M . . . . . . . G"),
    row("blue/annotated",        None,             Some("nginx"), "D . C . M W O L A I . F G"),
    row("blue/annotated-edge",   None,             Some("edge"),  ". E . . . . . . . . . . ."),
    row("blue/annotated-other",  None,             Some("other"), ". . . N . . . . . . . . ."),
    row("blue/annotated-empty",  None,             Some(""),      ". . . . . . . . . . . . ."),
    row("blue/annotated-case",   None,             Some("Nginx"), ". . . . . . . . . . . . ."),
    row("blue/bare",             None,             None,          ". . . . . W . . . . . . G"),
    row("red/own",               Some("nginx"),    None,          "D E . N M W . . A I X . G"),
    row("red/foreign",           Some("other"),    None,          ". . . N . . . . . . . . G"),
    row("red/annotated",         None,             Some("nginx"), "D . C . M W . . A I . F G"),
    row("red/annotated-edge",    None,             Some("edge"),  ". E . . . . . . . . X . ."),
    row("red/bare",              None,             None,          ". . . . . W . . . . X . G"),
    row("tiller/own",            Some("nginx"),    None,          "D E . N M W . . A I . . G"),
    nginx("blue/default-and-rule", Shape::HostAndDefault,         "D E . N M W O L . I . . G"),
    nginx("red/default-only",      Shape::Default,                "D E . N M W . . . I . . G"),
    nginx("blue/no-host",          Shape::NoHost,                 "D E . N M W O L A I . . G"),
    nginx("red/no-host",           Shape::NoHost,                 "D E . N M W . . A I X . G"),
    nginx("blue/injected",         Shape::Injected,               ". . . . . . . . . I . . ."),
];

/// One change to the cluster.
pub enum Act {
    /// A kubectl command.
    Kubectl(&'static [&'static str]),
    /// A new IngressClass with its controller.
    Class(&'static str, &'static str),
    /// The named class takes Ingresses without one from now on, and this is one.
    DefaultClass(&'static str, Row),
}

/// A change, and the rows that are different afterwards.
pub type Step = (&'static str, Act, &'static [(&'static str, &'static str)]);

/// What happens then, one after the other.
#[rustfmt::skip]
pub const STEPS: &[Step] = &[
    ("a class comes after its Ingresses", Act::Class("nowhere", "k8s.io/ingress-nginx"), &[
        ("blue/unknown",           "D E . N . W O L A I . . G"),
        ("blue/unknown-annotated", "D E . N . W O L A I . F G"),
    ]),
    ("it goes", Act::Kubectl(&["delete", "ingressclass", "nowhere"]), &[
        ("blue/unknown",           ". . . . . . . . . . . . G"),
        ("blue/unknown-annotated", ". . . . . . . . . . . F G"),
    ]),
    ("it comes back with another controller", Act::Class("nowhere", "example.com/mine"), &[
        ("blue/unknown",           ". . C . M . . . . . . . G"),
        ("blue/unknown-annotated", ". . C . M . . . . . . F G"),
    ]),
    ("a class that counts by its name goes", Act::Kubectl(&["delete", "ingressclass", "other"]), &[
        ("blue/foreign",           ". . . . . . . . . . . . G"),
        ("blue/foreign-annotated", ". . . . . . . . . . . F G"),
        ("red/foreign",            ". . . . . . . . . . . . G"),
    ]),
    ("and comes back", Act::Class("other", "example.com/third"), &[
        ("blue/foreign",           ". . . N . . . . . . . . G"),
        ("blue/foreign-annotated", ". . . N . . . . . . . F G"),
        ("red/foreign",            ". . . N . . . . . . . . G"),
    ]),
    ("an Ingress leaves", Act::Kubectl(&["patch", "ingress", "own", "-n", "blue", "-p", r#"{"spec":{"ingressClassName":"other"}}"#]), &[
        ("blue/own",               ". . . N . . . . . . . . G"),
    ]),
    ("an Ingress joins", Act::Kubectl(&["patch", "ingress", "foreign", "-n", "blue", "-p", r#"{"spec":{"ingressClassName":"nginx"}}"#]), &[
        ("blue/foreign",           "D E . N M W O L A I . . G"),
    ]),
    ("from one foreign class to another", Act::Kubectl(&["annotate", "--overwrite", "ingress", "annotated-other", "-n", "blue", "kubernetes.io/ingress.class=third"]), &[
        ("blue/annotated-other",   ". . . . . . . . . . . . ."),
    ]),
    ("the annotation goes", Act::Kubectl(&["annotate", "ingress", "annotated", "-n", "blue", "kubernetes.io/ingress.class-"]), &[
        ("blue/annotated",         ". . . . . W . . . . . . G"),
    ]),
    ("the field comes", Act::Kubectl(&["patch", "ingress", "annotated", "-n", "blue", "-p", r#"{"spec":{"ingressClassName":"mine"}}"#]), &[
        ("blue/annotated",         ". . C . M . . . . . . . G"),
    ]),
    ("a namespace changes its label", Act::Kubectl(&["label", "--overwrite", "namespace", "red", "team=blue"]), &[
        ("red/own",                "D E . N M W . L A I . . G"),
        ("red/annotated",          "D . C . M W . L A I . F G"),
        ("red/annotated-edge",     ". E . . . . . . . . . . ."),
        ("red/bare",               ". . . . . W . . . . . . G"),
        ("red/default-only",       "D E . N M W . L . I . . G"),
        ("red/no-host",            "D E . N M W . L A I . . G"),
    ]),
    ("it loses the label", Act::Kubectl(&["label", "namespace", "red", "team-"]), &[
        ("red/own",                "D E . N M W . . A I . . G"),
        ("red/annotated",          "D . C . M W . . A I . F G"),
        ("red/default-only",       "D E . N M W . . . I . . G"),
        ("red/no-host",            "D E . N M W . . A I . . G"),
    ]),
    ("it gains one", Act::Kubectl(&["label", "namespace", "red", "team=green"]), &[
        ("red/own",                "D E . N M W . . A I X . G"),
        ("red/annotated-edge",     ". E . . . . . . . . X . ."),
        ("red/bare",               ". . . . . W . . . . X . G"),
        ("red/no-host",            "D E . N M W . . A I X . G"),
    ]),
    ("a namespace is no longer another tool's", Act::Kubectl(&["label", "namespace", "tiller", "OWNER-"]), &[
        ("tiller/own",             "D E . N M W . L A I . . G"),
    ]),
    ("an Ingress gains a default backend", Act::Kubectl(&["patch", "ingress", "second", "-n", "blue", "-p", r#"{"spec":{"defaultBackend":{"service":{"name":"web","port":{"number":80}}}}}"#]), &[
        ("blue/second",            "D E . N . W O L . I . . G"),
    ]),
    ("it loses it", Act::Kubectl(&["patch", "ingress", "second", "-n", "blue", "-p", r#"{"spec":{"defaultBackend":null}}"#]), &[
        ("blue/second",            "D E . N . W O L A I . . G"),
    ]),
    // The API server names the class in new Ingresses; those that are there stay as they are.
    ("a class becomes the default", Act::DefaultClass("internal", row("blue/defaulted", None, None, "")), &[
        ("blue/defaulted",         "D E . N . W O L A I . . G"),
    ]),
    ("a class goes", Act::Kubectl(&["delete", "ingressclass", "internal"]), &[
        ("blue/second",            ". . . . . . . . . . . . G"),
        ("blue/defaulted",         ". . . . . . . . . . . . G"),
    ]),
    ("an Ingress goes while its class is away", Act::Kubectl(&["delete", "ingress", "second", "-n", "blue"]), &[
        ("blue/second",            ". . . . . . . . . . . . ."),
    ]),
    ("and the class comes back", Act::Class("internal", "k8s.io/ingress-nginx"), &[
        ("blue/defaulted",         "D E . N . W O L A I . . G"),
    ]),
];
