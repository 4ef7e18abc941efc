# The two images, made of nothing but what scripts/image has put into the build context: static binaries, and a root file
# system for each. No base image, so nothing is pulled. `make image` builds both.

# The bundled application: headgate/backends. Its argument is the service: posts, comments, query …
FROM scratch AS backends
COPY backends/ /
USER 65532:65532
ENTRYPOINT ["/backends"]

# The controller: headgate/headgate.
#   /headgate                   the program; its file permits the capability to bind ports below 1024
#   /nginx-ingress-controller   a link to it: its name in Deployments made for ingress-nginx
#   /wait-shutdown              another: what their preStop hooks call
# No entry point: Deployments made for ingress-nginx begin their arguments with the program's path.
# No files with certificates of public authorities: the API server's comes with the ServiceAccount, those of upstreams with their
# Secrets; for the keys of issuers of tokens the program has those that browsers trust. (With --apiserver-host in place of the
# ServiceAccount, name --certificate-authority.)
FROM scratch AS headgate
COPY headgate/ /
USER 65532:65532
EXPOSE 80 443 8443 10254
CMD ["/headgate"]
