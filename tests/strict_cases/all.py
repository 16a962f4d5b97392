"""Every case."""

from strict_cases.ecs import CLUSTERS, SERVICES
from strict_cases.network import LISTENERS, SCALING
from strict_cases.other import DEFINITIONS, MESSAGES
from strict_cases.watching import WATCHING

CASES = [*LISTENERS, *SERVICES, *CLUSTERS, *DEFINITIONS, *SCALING, *MESSAGES, *WATCHING]
