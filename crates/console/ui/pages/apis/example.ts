// The example API as an OpenAPI document: three methods that the gateway answers by itself.

function mock(body: unknown) {
  return {
    type: "mock",
    requestTemplates: { "application/json": '{"statusCode": 200}' },
    responses: {
      default: { statusCode: "200", responseTemplates: { "application/json": JSON.stringify(body) } },
    },
  };
}

const OK = { "200": { description: "OK" } };
const KEYED = [{ api_key: [] }];

export const EXAMPLE = JSON.stringify({
  openapi: "3.0.1",
  info: { title: "example", description: "Pets, answered by the gateway itself", version: "1" },
  paths: {
    "/health": { get: { responses: OK, "x-amazon-apigateway-integration": mock({ status: "ok" }) } },
    "/pets": { get: { security: KEYED, responses: OK, "x-amazon-apigateway-integration": mock([{ id: 1, name: "Rex" }, { id: 2, name: "Mia" }]) } },
    "/pets/{petId}": {
      get: {
        security: KEYED,
        parameters: [{ name: "petId", in: "path", required: true, schema: { type: "string" } }],
        responses: OK,
        "x-amazon-apigateway-integration": mock({ id: 1, name: "Rex" }),
      },
    },
  },
  components: { securitySchemes: { api_key: { type: "apiKey", name: "x-api-key", in: "header" } } },
});
