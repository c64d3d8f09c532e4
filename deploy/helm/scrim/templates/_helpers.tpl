{{- define "scrim.name" -}}
{{- .Values.nameOverride | default .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- end }}

{{- define "scrim.selector" -}}
app.kubernetes.io/name: scrim
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "scrim.labels" -}}
{{ include "scrim.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: {{ .Values.mode }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "scrim.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* "true" if other pods can reach the console. */}}
{{- define "scrim.beyond" -}}
{{- if ne .Values.console.address "127.0.0.1:7071" }}true{{ end -}}
{{- end }}

{{/* What the chart says of the gateway; everything else is the values' config. */}}
{{- define "scrim.config" -}}
{{- $sidecar := eq .Values.mode "sidecar" -}}
{{- $own := dict "version" 1 "domain" .Values.domain "data" "/var/lib/scrim/state" "policies" "./policies" -}}
{{- $_ := set $own "listen" (ternary "127.0.0.1:7070" "0.0.0.0:7070" $sidecar) -}}
{{- $_ := set $own "admin" .Values.console.address -}}
{{- $console := dict -}}
{{- if .Values.console.publicURL }}{{ $_ := set $console "public_url" .Values.console.publicURL }}{{ end -}}
{{- if .Values.console.tls.secretName }}{{ $_ := set $console "tls" (dict "cert" "/etc/scrim-console-tls/tls.crt" "key" "/etc/scrim-console-tls/tls.key") }}{{ end -}}
{{- if .Values.console.oidc }}
{{- $oidc := deepCopy .Values.console.oidc -}}
{{- if .Values.console.clientSecret.secretName }}{{ $_ := set $oidc "client_secret" (dict "file" "/etc/scrim-console-oidc/client_secret") }}{{ end -}}
{{- $_ := set $console "oidc" $oidc -}}
{{- end -}}
{{- if $console }}{{ $_ := set $own "console" $console }}{{ end -}}
{{- $_ := set $own "timeouts" (dict "notice" (printf "%ds" (int .Values.drain.noticeSeconds)) "shutdown" (printf "%ds" (int .Values.drain.shutdownSeconds))) -}}
{{- if not $sidecar }}{{ $_ := set $own "health" true }}{{ end -}}
{{- if .Values.metrics.enabled }}{{ $_ := set $own "metrics" "0.0.0.0:7072" }}{{ end -}}
{{- if .Values.peering.enabled }}{{ $_ := set $own "peering" (dict "listen" "0.0.0.0:7074") }}{{ end -}}
{{- if .Values.tls.secretName }}{{ $_ := set $own "tls" (dict "cert" "/etc/scrim-tls/tls.crt" "key" "/etc/scrim-tls/tls.key") }}{{ end -}}
{{- if eq .Values.mode "central" }}{{ $_ := set $own "store" (dict "postgres" (dict "env" "SCRIM_STORE_URL") "schema" .Values.postgres.schema) }}{{ end -}}
{{- mergeOverwrite (deepCopy .Values.config) $own | toYaml -}}
{{- end }}

{{/* The gateway's container. A sidecar is asked by its own program, since nobody outside its pod reaches it. */}}
{{- define "scrim.container" -}}
{{- $sidecar := eq .Values.mode "sidecar" -}}
name: scrim
image: {{ include "scrim.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: [run, -c, /etc/scrim/scrim.yaml]
{{- if $sidecar }}
restartPolicy: Always
{{- end }}
{{- if eq .Values.mode "central" }}
env:
  - name: SCRIM_STORE_URL
    valueFrom: {secretKeyRef: {name: {{ .Values.postgres.secretName | quote }}, key: {{ .Values.postgres.key | quote }}}}
{{- end }}
ports:
  {{- if not $sidecar }}
  - {name: agents, containerPort: 7070, protocol: TCP}
  {{- end }}
  {{- if include "scrim.beyond" . }}
  - {name: console, containerPort: 7071, protocol: TCP}
  {{- end }}
  {{- if .Values.metrics.enabled }}
  - {name: metrics, containerPort: 7072, protocol: TCP}
  {{- end }}
  {{- if .Values.peering.enabled }}
  - {name: peers, containerPort: 7074, protocol: TCP}
  {{- end }}
{{- range $probe, $path := dict "startupProbe" "healthz" "livenessProbe" "healthz" "readinessProbe" "readyz" }}
{{ $probe }}:
  {{- if $sidecar }}
  exec: {command: [/scrim, health, --admin, "127.0.0.1:7071"{{ if eq $path "healthz" }}, --alive{{ end }}]}
  timeoutSeconds: 6
  {{- else }}
  httpGet: {path: /{{ $path }}, port: agents, scheme: {{ ternary "HTTPS" "HTTP" (ne $.Values.tls.secretName "") }}}
  timeoutSeconds: 5
  {{- end }}
  periodSeconds: {{ eq $probe "startupProbe" | ternary 2 10 }}
  failureThreshold: {{ eq $probe "startupProbe" | ternary 60 3 }}
{{- end }}
resources: {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  capabilities: {drop: [ALL]}
  seccompProfile: {type: RuntimeDefault}
volumeMounts:
  - {name: scrim-config, mountPath: /etc/scrim, readOnly: true}
  - {name: scrim-state, mountPath: /var/lib/scrim}
  {{- if .Values.tls.secretName }}
  - {name: scrim-tls, mountPath: /etc/scrim-tls, readOnly: true}
  {{- end }}
  {{- if .Values.console.tls.secretName }}
  - {name: scrim-console-tls, mountPath: /etc/scrim-console-tls, readOnly: true}
  {{- end }}
  {{- if .Values.console.clientSecret.secretName }}
  - {name: scrim-console-oidc, mountPath: /etc/scrim-console-oidc, readOnly: true}
  {{- end }}
  {{- range .Values.secrets }}
  - {name: {{ printf "secret-%s" (. | replace "." "-") | quote }}, mountPath: {{ printf "/run/secrets/scrim/%s" . | quote }}, readOnly: true}
  {{- end }}
{{- end }}
