"""A JSON schema of KubeRay's RayJob (ray.io/v1), as far as a file of ours could use it.

Names and types are those of KubeRay's Go types (`ray-operator/apis/ray/v1`: RayJobSpec, RayClusterSpec, HeadGroupSpec,
WorkerGroupSpec; `authOptions` since 1.5.1) and of Kubernetes' PodSpec and Container. A name that is not listed is
refused, as the API server does with strict validation.
"""

from typing import Any

TEXT: dict[str, Any] = {"type": "string"}
TEXTS: dict[str, Any] = {"type": "object", "additionalProperties": TEXT}
WHOLE: dict[str, Any] = {"type": "integer", "minimum": 0}
FLAG: dict[str, Any] = {"type": "boolean"}
ANY: dict[str, Any] = {}


def fields(required: str = "", **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


def list_of(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


QUANTITY = {
    "anyOf": [WHOLE, {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?([KMGTPE]i|[numkMGTPE])?$"}],
}
AMOUNTS = {"type": "object", "additionalProperties": QUANTITY}
CONTAINER = fields(
    "name",
    name={"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63},
    image=TEXT,
    command=list_of(TEXT),
    args=list_of(TEXT),
    workingDir=TEXT,
    env=list_of(fields("name", name=TEXT, value=TEXT, valueFrom=ANY)),
    envFrom=list_of(ANY),
    ports=list_of(ANY),
    resources=fields(limits=AMOUNTS, requests=AMOUNTS, claims=ANY),
    volumeMounts=list_of(fields("mountPath name", mountPath=TEXT, name=TEXT, readOnly=FLAG, subPath=TEXT)),
    imagePullPolicy={"enum": ["Always", "Never", "IfNotPresent"]},
    lifecycle=ANY,
    securityContext=ANY,
)
POD = fields(
    metadata=fields(labels=TEXTS, annotations=TEXTS, name=TEXT, namespace=TEXT),
    spec=fields(
        "containers",
        containers={**list_of(CONTAINER), "minItems": 1},
        initContainers=list_of(CONTAINER),
        volumes=list_of(ANY),
        nodeSelector=TEXTS,
        tolerations=list_of(ANY),
        affinity=ANY,
        serviceAccountName=TEXT,
        priorityClassName=TEXT,
        imagePullSecrets=list_of(ANY),
        restartPolicy=TEXT,
        terminationGracePeriodSeconds=WHOLE,
    ),
)
CLUSTER = fields(
    "headGroupSpec",
    rayVersion=TEXT,
    enableInTreeAutoscaling=FLAG,
    autoscalerOptions=ANY,
    headServiceAnnotations=TEXTS,
    suspend=FLAG,
    authOptions=fields(mode={"enum": ["disabled", "token"]}),
    headGroupSpec=fields(
        "rayStartParams template",
        serviceType=TEXT,
        headService=ANY,
        enableIngress=FLAG,
        rayStartParams=TEXTS,
        template=POD,
    ),
    workerGroupSpecs=list_of(
        fields(
            "groupName minReplicas maxReplicas rayStartParams template",
            groupName=TEXT,
            replicas=WHOLE,
            minReplicas=WHOLE,
            maxReplicas=WHOLE,
            numOfHosts=WHOLE,
            rayStartParams=TEXTS,
            template=POD,
            scaleStrategy=ANY,
        )
    ),
)
RAY_JOB = fields(
    "apiVersion kind metadata spec",
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayJob"},
    # The names of what the operator makes of it have 63 characters, and it appends to this one.
    metadata=fields("name", name={"type": "string", "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$", "maxLength": 47}),
    spec=fields(
        entrypoint={"type": "string", "minLength": 1},
        runtimeEnvYAML=TEXT,
        jobId=TEXT,
        metadata=TEXTS,
        activeDeadlineSeconds={"type": "integer", "minimum": 1},
        backoffLimit=WHOLE,
        shutdownAfterJobFinishes=FLAG,
        ttlSecondsAfterFinished=WHOLE,
        suspend=FLAG,
        submissionMode={"enum": ["K8sJobMode", "HTTPMode", "InteractiveMode"]},
        submitterPodTemplate=POD,
        submitterConfig=fields(backoffLimit=WHOLE),
        entrypointNumCpus={"type": "number"},
        entrypointNumGpus={"type": "number"},
        entrypointResources=TEXT,
        clusterSelector=TEXTS,
        managedBy=TEXT,
        rayClusterSpec=CLUSTER,
    ),
)  # fmt: skip
