# A metered API as people keep it in Terraform. `edition` 2 changes what can be changed in place.
variable "endpoint" { type = string }
variable "edition" {
  type    = number
  default = 1
}

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

# The access key comes from the environment, as an operator's does.
provider "aws" {
  region                      = "us-east-1"
  max_retries                 = 1
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_requesting_account_id  = true
  endpoints { apigateway = var.endpoint }
}

locals {
  second = var.edition == 2
}

resource "aws_api_gateway_rest_api" "library" {
  name               = local.second ? "library, revised" : "library"
  description        = "books, edition ${var.edition}"
  binary_media_types = local.second ? ["image/png", "image/webp"] : ["image/png"]
  tags               = { shelf = local.second ? "b" : "a" }
  endpoint_configuration { types = ["REGIONAL"] }
}

resource "aws_api_gateway_resource" "books" {
  rest_api_id = aws_api_gateway_rest_api.library.id
  parent_id   = aws_api_gateway_rest_api.library.root_resource_id
  path_part   = "books"
}

resource "aws_api_gateway_resource" "book" {
  rest_api_id = aws_api_gateway_rest_api.library.id
  parent_id   = aws_api_gateway_resource.books.id
  path_part   = "{isbn}"
}

resource "aws_api_gateway_resource" "rest" {
  rest_api_id = aws_api_gateway_rest_api.library.id
  parent_id   = aws_api_gateway_rest_api.library.root_resource_id
  path_part   = local.second ? "{rest+}" : "{proxy+}"
}

resource "aws_api_gateway_method" "list" {
  rest_api_id        = aws_api_gateway_rest_api.library.id
  resource_id        = aws_api_gateway_resource.books.id
  http_method        = "GET"
  authorization      = "NONE"
  api_key_required   = true
  request_parameters = { "method.request.querystring.author" = local.second }
}

resource "aws_api_gateway_integration" "list" {
  rest_api_id       = aws_api_gateway_rest_api.library.id
  resource_id       = aws_api_gateway_resource.books.id
  http_method       = aws_api_gateway_method.list.http_method
  type              = "MOCK"
  request_templates = { "application/json" = jsonencode({ statusCode = 200 }) }
}

resource "aws_api_gateway_method_response" "list" {
  rest_api_id         = aws_api_gateway_rest_api.library.id
  resource_id         = aws_api_gateway_resource.books.id
  http_method         = aws_api_gateway_method.list.http_method
  status_code         = "200"
  response_models     = { "application/json" = "Empty" }
  response_parameters = { "method.response.header.X-Edition" = true }
}

resource "aws_api_gateway_integration_response" "list" {
  rest_api_id         = aws_api_gateway_rest_api.library.id
  resource_id         = aws_api_gateway_resource.books.id
  http_method         = aws_api_gateway_integration.list.http_method
  status_code         = aws_api_gateway_method_response.list.status_code
  response_parameters = { "method.response.header.X-Edition" = "'${var.edition}'" }
  response_templates  = { "application/json" = "[\"edition ${var.edition}\"]" }
}

resource "aws_api_gateway_method" "read" {
  rest_api_id        = aws_api_gateway_rest_api.library.id
  resource_id        = aws_api_gateway_resource.book.id
  http_method        = "GET"
  authorization      = "NONE"
  api_key_required   = local.second
  operation_name     = "readBook"
  request_parameters = { "method.request.path.isbn" = true }
}

resource "aws_api_gateway_integration" "read" {
  rest_api_id             = aws_api_gateway_rest_api.library.id
  resource_id             = aws_api_gateway_resource.book.id
  http_method             = aws_api_gateway_method.read.http_method
  type                    = "HTTP_PROXY"
  integration_http_method = "GET"
  uri                     = "http://$${stageVariables.backend}/books/{isbn}"
  timeout_milliseconds    = local.second ? 5000 : 2000
  request_parameters      = { "integration.request.path.isbn" = "method.request.path.isbn" }
}

resource "aws_api_gateway_method" "any" {
  rest_api_id   = aws_api_gateway_rest_api.library.id
  resource_id   = aws_api_gateway_resource.rest.id
  http_method   = "ANY"
  authorization = "NONE"
}

resource "aws_api_gateway_integration" "any" {
  rest_api_id             = aws_api_gateway_rest_api.library.id
  resource_id             = aws_api_gateway_resource.rest.id
  http_method             = aws_api_gateway_method.any.http_method
  type                    = "HTTP_PROXY"
  integration_http_method = "ANY"
  uri                     = "http://127.0.0.1:9/"
}

resource "aws_api_gateway_deployment" "current" {
  rest_api_id = aws_api_gateway_rest_api.library.id
  description = "edition ${var.edition}"
  triggers    = { edition = var.edition }
  lifecycle { create_before_destroy = true }
  depends_on = [
    aws_api_gateway_integration_response.list,
    aws_api_gateway_integration.read,
    aws_api_gateway_integration.any,
  ]
}

resource "aws_api_gateway_stage" "live" {
  rest_api_id   = aws_api_gateway_rest_api.library.id
  deployment_id = aws_api_gateway_deployment.current.id
  stage_name    = "live"
  description   = "for readers"
  variables     = local.second ? { backend = "127.0.0.1:9", colour = "blue" } : { backend = "127.0.0.1:9" }
  tags          = { public = "yes" }
}

resource "aws_api_gateway_method_settings" "everything" {
  rest_api_id = aws_api_gateway_rest_api.library.id
  stage_name  = aws_api_gateway_stage.live.stage_name
  method_path = "*/*"
  settings {
    throttling_rate_limit  = 500
    throttling_burst_limit = local.second ? 300 : 200
  }
}

resource "aws_api_gateway_method_settings" "read" {
  rest_api_id = aws_api_gateway_rest_api.library.id
  stage_name  = aws_api_gateway_stage.live.stage_name
  method_path = "${replace(aws_api_gateway_resource.book.path, "/", "~1")}/GET"
  settings {
    metrics_enabled        = true
    throttling_rate_limit  = 12.5
    throttling_burst_limit = 25
  }
}

resource "aws_api_gateway_usage_plan" "reader" {
  name         = "reader"
  description  = local.second ? "for everyone" : "for some"
  product_code = local.second ? "P-2" : "P-1"
  api_stages {
    api_id = aws_api_gateway_rest_api.library.id
    stage  = aws_api_gateway_stage.live.stage_name
    throttle {
      path        = "/${aws_api_gateway_resource.books.path_part}/GET"
      rate_limit  = local.second ? 3 : 2.5
      burst_limit = 6
    }
  }
  throttle_settings {
    rate_limit  = 10
    burst_limit = local.second ? 30 : 20
  }
  quota_settings {
    limit  = local.second ? 700 : 500
    offset = local.second ? 0 : 3
    period = local.second ? "MONTH" : "WEEK"
  }
  tags = { tier = "reader" }
}

resource "aws_api_gateway_usage_plan" "bare" {
  name = local.second ? "bare, renamed" : "bare"
}

resource "aws_api_gateway_api_key" "generated" {
  name        = local.second ? "generated, renamed" : "generated"
  description = "value made by the gateway"
  tags        = { owner = "someone" }
}

resource "aws_api_gateway_api_key" "chosen" {
  name    = "chosen"
  value   = "terraform-chosen-value-0123456789"
  enabled = !local.second
}

resource "aws_api_gateway_usage_plan_key" "members" {
  for_each      = { generated = aws_api_gateway_api_key.generated.id, chosen = aws_api_gateway_api_key.chosen.id }
  usage_plan_id = aws_api_gateway_usage_plan.reader.id
  key_id        = each.value
  key_type      = "API_KEY"
}

data "aws_api_gateway_api_key" "chosen" {
  id = aws_api_gateway_api_key.chosen.id
}

data "aws_api_gateway_resource" "book" {
  rest_api_id = aws_api_gateway_rest_api.library.id
  path        = aws_api_gateway_resource.book.path
}

output "api" { value = aws_api_gateway_rest_api.library.id }
output "path" { value = aws_api_gateway_resource.books.path }
output "found" { value = data.aws_api_gateway_resource.book.id == aws_api_gateway_resource.book.id }
output "chosen" { value = nonsensitive(data.aws_api_gateway_api_key.chosen.value) }
output "generated" { value = nonsensitive(aws_api_gateway_api_key.generated.value) }
