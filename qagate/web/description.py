"""The description of the API, /openapi.json: errors are problems, and who may ask is said."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse

from qagate.domain.person import Permission, Person
from qagate.web.access import needs, routes_of
from qagate.web.problem import PROBLEM_TYPE

router = APIRouter(include_in_schema=False)

PROBLEM_SCHEMA = {"$ref": "#/components/schemas/Problem"}

SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "an API token: `qagate token add`, or /tokens"},
}


@router.get("/openapi.json")
def openapi(request: Request, person: Annotated[Person, Depends(needs(Permission.READ))]) -> JSONResponse:
    """Describe the API."""
    return JSONResponse(described(request.app))


def described(app: FastAPI) -> dict[str, Any]:
    """Return the description, made once."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
        made.setdefault("components", {})["securitySchemes"] = SCHEMES
        wanted = _wanted(app)
        for path, operations in made["paths"].items():
            for method, operation in operations.items():
                for answer in operation["responses"].values():
                    _as_problem(answer)
                if permission := wanted.get((path, method)):
                    operation["security"] = [{"token": []}]
                    operation["x-permission"] = permission.value
        app.openapi_schema = made
    return app.openapi_schema


def _as_problem(answer: dict[str, Any]) -> None:
    told = {"schema": PROBLEM_SCHEMA}
    if told in answer.get("content", {}).values():
        answer["content"] = {PROBLEM_TYPE: told}


def _wanted(app: FastAPI) -> dict[tuple[str, str], Permission]:
    return {
        (route.path, method.lower()): route.permissions[-1]
        for route in routes_of(app)
        if route.permissions
        for method in route.methods
    }
