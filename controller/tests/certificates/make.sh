#!/bin/sh
# Makes the certificates that the tests read. They are valid for 100 years and protect nothing.
set -eu
cd "$(dirname "$0")"
self_signed() { # name, algorithm options, subject, extensions
    openssl req -x509 -newkey "$2" -nodes -days 36500 -subj "$3" -addext "$4" -keyout "$1.key" -out "$1.crt" 2>/dev/null
}
self_signed rsa rsa:2048 "/CN=ignored.test" "subjectAltName=DNS:a.test,DNS:*.wild.test"
self_signed other rsa:2048 "/CN=other" "subjectAltName=DNS:a.test"
openssl rsa -in rsa.key -traditional -out rsa-pkcs1.key 2>/dev/null
openssl ecparam -name prime256v1 -genkey -noout -out ec-sec1.key
openssl req -x509 -key ec-sec1.key -days 36500 -subj "/CN=cn.test" -out ec.crt
openssl pkcs8 -topk8 -nocrypt -in ec-sec1.key -out ec.key
openssl req -x509 -newkey ed25519 -nodes -days 36500 -subj "/CN=ed" -addext "subjectAltName=DNS:*.Ed.test" -keyout ed25519.key -out ed25519.crt 2>/dev/null
