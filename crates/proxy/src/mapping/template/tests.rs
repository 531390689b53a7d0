//! Templates with what they give: what API Gateway's documentation, its recorded answers and Velocity's rules say.
#![allow(clippy::unwrap_used)] // a test that cannot go on must fail

use proptest::prelude::*;

use super::{Lasting, RenderError, Template};
use crate::fuzzing::template::render;

/// A template and what it gives for a body.
type Example = (&'static str, &'static str);

#[track_caller]
fn gives(body: &str, examples: &[Example]) {
    for (text, expected) in examples {
        let template = Template::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let rendered = render(&template, &mut Lasting::default(), body);
        assert_eq!(rendered.as_deref(), Ok(*expected), "{text}\nfor {body}");
    }
}

#[track_caller]
fn fails(text: &str) -> RenderError {
    let template = Template::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    render(&template, &mut Lasting::default(), "{}").unwrap_err()
}

/// Recorded from AWS: an HTTP integration's response templates, by the body that the upstream echoed.
#[test]
fn values_of_paths_print_as_recorded() {
    let result = "#set($result = $input.path(\"$.json\"))$result";
    for (body, template, expected) in [
        (r#"{"json":{"foo":"bar"}}"#, "", "{foo=bar}"),
        (r#"{"json":[{"foo":"bar"}]}"#, "", r#"[{"foo":"bar"}]"#),
        (
            r#"{"json":{"nested":{"foo":"bar"}}}"#,
            ".nested",
            "{foo=bar}",
        ),
        (
            r#"{"json":{"nested":[{"foo":"bar"}]}}"#,
            ".nested",
            r#"[{"foo":"bar"}]"#,
        ),
        (r#"{"json":[{"foo":"bar"}]}"#, "[0]", "{foo=bar}"),
        (r#"{"json":[[{"foo":"bar"}]]}"#, "[0]", r#"[{"foo":"bar"}]"#),
        (
            r#"{"json":{"foo":[{"nested":"bar"}]}}"#,
            "",
            r#"{foo=[{"nested":"bar"}]}"#,
        ),
        (
            r#"{"json":{"bigger":"dict","to":"test","with":"separators"}}"#,
            "",
            "{bigger=dict, to=test, with=separators}",
        ),
        (r#"{"json":{"foo":"bar"}}"#, ".toString()", "{foo=bar}"),
        (
            r#"{"json":{"list":[{"foo":"bar"}]}}"#,
            ".toString()",
            r#"{list=[{"foo":"bar"}]}"#,
        ),
    ] {
        let text = format!("{result}{template}");
        let rendered = render(
            &Template::parse(&text).unwrap(),
            &mut Lasting::default(),
            body,
        );
        assert_eq!(rendered.as_deref(), Ok(expected), "{text} for {body}");
    }
    let probe = |path: &str| {
        format!(
            "#set($result = $input.path(\"{path}\")){{\"body\": $result, \"nested\": $result.nested, \
            \"isNull\": #if( $result == $null )\"true\"#else\"false\"#end, \
            \"isEmptyString\": #if( $result == \"\" )\"true\"#else\"false\"#end}}"
        )
    };
    let absent = r#"{"body": , "nested": , "isNull": "true", "isEmptyString": "true"}"#;
    let empty = r#"{"body": [], "nested": , "isNull": "false", "isEmptyString": "false"}"#;
    for (body, path, expected) in [
        ("", "$.nonExisting", absent),
        (r#"{"json":{"listValue":[]}}"#, "$.json.listValue", empty),
        (r#"{"json":{"listValue":null}}"#, "$.json.listValue", absent),
    ] {
        let template = Template::parse(&probe(path)).unwrap();
        let rendered = render(&template, &mut Lasting::default(), body);
        assert_eq!(rendered.as_deref(), Ok(expected), "{body}");
    }
}

#[test]
fn the_body_is_read_as_recorded() {
    gives(
        "",
        &[
            ("$input.body", "{}"),
            (
                "Action=SendMessage&MessageBody=$input.body",
                "Action=SendMessage&MessageBody={}",
            ),
            ("$input.body.testAccess", ""),
            ("$util.urlEncode($input.body)", "%7B%7D"),
            ("x=$util.urlEncode($input.body.testAccess)", "x="),
            ("$input.json('$')", "{}"),
            ("$input.json('$.a')", "\"\""),
        ],
    );
    gives(
        "some raw data",
        &[
            ("$input.body", "some raw data"),
            ("$util.urlEncode($input.body)", "some+raw+data"),
            ("$input.path('$.myVar')", ""),
            ("$input.json('$.message')", "\"\""),
            ("$input.json('$')", "\"some raw data\""),
        ],
    );
    gives(
        r#"{"action":"$default","message":"foo/bar é", "n": [1, 2.0, 1e9, null, true], "z":{"b":1,"a":2}}"#,
        &[
            ("$input.json('$.message')", "\"foo/bar é\""),
            (
                "$util.escapeJavaScript($input.json('$.message'))",
                "\\\"foo\\/bar \\u00E9\\\"",
            ),
            ("$input.path('$.message')", "foo/bar é"),
            ("$input.path('message')", "foo/bar é"),
            ("$input.json('$.n')", "[1,2.0,1.0E9,null,true]"),
            ("$input.path('$.n').size()", "5"),
            ("$input.json('$.z')", r#"{"b":1,"a":2}"#),
            ("$input.path('$').z.a", "2"),
            ("$input.path('$.n[-1]') $input.path('$.n[9]')", "true "),
        ],
    );
}

#[test]
fn the_call_is_read() {
    gives(
        "{}",
        &[
            (
                "$input.params('id')|$input.params('x')|$input.params('X-Name')|$input.params('no')",
                "a b|2|Ann|",
            ),
            (
                "$input.params().path.id $input.params().querystring.get('q')",
                "a b café au",
            ),
            (
                "$input.params().header.Accept $input.params().header.get('ACCEPT')",
                "text/html text/html",
            ),
            (
                "#foreach($type in $input.params().keySet())$type:#foreach($name in $input.params().get($type).keySet())$name#if($foreach.hasNext),#end#end #end",
                "path:id querystring:x,q header:accept,x-name ",
            ),
            (
                "$stageVariables.colour ${stageVariables.host} ${stageVariables.get('colour')}",
                "blue h.test blue",
            ),
            (
                "$context.httpMethod $context.resourcePath $context.stage $context.apiId",
                "GET /pets/{id} prod abc123",
            ),
            (
                "$context.identity.sourceIp $context.accountId $context.requestTimeEpoch",
                "127.0.0.1 000000000000 0",
            ),
            (
                "[$context.authorizer.claims.sub$context.nothing$context.identity.user]",
                "[]",
            ),
        ],
    );
}

/// The template that frameworks generate to pass everything on.
#[test]
fn the_pass_through_template_of_frameworks_gives_json() {
    let text = r##"
      #define( $loop )
        {
        #foreach($key in $map.keySet())
            #set( $k = $util.escapeJavaScript($key) )
            #set( $v = $util.escapeJavaScript($map.get($key)).replaceAll("\\'", "'") )
            "$k":
              "$v"
              #if( $foreach.hasNext ) , #end
        #end
        }
      #end
      {
        "body": $input.json("$"),
        "method": "$context.httpMethod",
        "principalId": "$context.authorizer.principalId",
        "stage": "$context.stage",
        "cognitoPoolClaims" : { "sub": "$context.authorizer.claims.sub" },
        #set( $map = $context.authorizer )
        "enhancedAuthContext": $loop,
        #set( $map = $input.params().header )
        "headers": $loop,
        #set( $map = $input.params().querystring )
        "query": $loop,
        #set( $map = $context.identity )
        "identity": $loop,
        #set( $map = $stageVariables )
        "stageVariables": $loop,
        "requestPath": "$context.resourcePath"
      }"##;
    let template = Template::parse(text).unwrap();
    let rendered = render(&template, &mut Lasting::default(), r#"{"it's":"a \"b\""}"#).unwrap();
    let read: serde_json::Value = serde_json::from_str(&rendered).unwrap();
    assert_eq!(
        read,
        serde_json::json!({
            "body": { "it's": "a \"b\"" }, "method": "GET", "principalId": "", "stage": "prod",
            "cognitoPoolClaims": { "sub": "" }, "enhancedAuthContext": {},
            "headers": { "accept": "text/html", "x-name": "Ann" }, "query": { "x": "2", "q": "café au" },
            "identity": { "sourceIp": "127.0.0.1" }, "stageVariables": { "colour": "blue", "host": "h.test" },
            "requestPath": "/pets/{id}"
        })
    );
}

#[test]
fn directives_leave_no_lines_of_their_own() {
    gives(
        "{}",
        &[
            ("a\n#set($x = 1)\nb$x", "a\nb1"),
            ("  #set($x = 1)  \n  #set($y = 2)\n$x$y", "12"),
            ("a #set($x = 1)b", "a b"),
            ("#if(true)\n yes\n#else\n no\n#end\nafter", " yes\nafter"),
            ("  #if(true)x#end  \n", "  x"),
            ("a ## note\nb", "a b"),
            ("a#* note\n more *#b", "ab"),
            ("#[[ $x #if ]]#", " $x #if "),
            ("#{if}(false)x#{else}y#{end}", "y"),
            ("#foreach($i in [1..3])\n$i\n#end\n", "1\n2\n3\n"),
        ],
    );
}

#[test]
fn references_are_told_from_text() {
    gives(
        "{}",
        &[
            (
                "$5 $ $. $[0] $! ${ $} costs 5$",
                "$5 $ $. $[0] $! ${ $} costs 5$",
            ),
            ("#fff # #1 a#b #$x", "#fff # #1 a#b #"),
            ("#set($x = 'v')$x.y$x. ${x}y $!x $!{x} $x-y", "v. vy v v "),
            ("#set($a-b = 1)$a-b", "1"),
            (
                "#set($x = 'v')\\$x \\\\$x \\$y \\#set \\a",
                "$x \\v \\$y #set \\a",
            ),
            (
                "#set($m = {'a': {'b': [1, 'two']}})$m.a.b[1] $m['a'].b.get(0) $m",
                "two 1 {a={b=[1, two]}}",
            ),
            ("$x.y.z() $x[0] $!x", "  "),
        ],
    );
}

#[test]
fn expressions_mean_what_velocity_means() {
    gives(
        "{}",
        &[
            ("#set($x = 1 + 2 * 3 - 8 / 3)$x,#set($y = 7 % 4)$y", "5,3"),
            ("#set($x = (1 + 2) * -3)$x,#set($y = 1 / 0)[$y]", "-9,[]"),
            (
                "#set($x = 5 / 2.0)$x,#set($y = 0.1 + 0.2)$y,#set($z = 1.0E10)$z",
                "2.5,0.30000000000000004,1.0E10",
            ),
            ("#set($x = 'a' + 1 + 'b')$x", "a1b"),
            ("#if(1 < 2 && 2 <= 2 && 3 > 2 && !(3 >= 4))y#end", "y"),
            ("#if(1 lt 2 and 2 le 2 and 3 gt 2 and not false)y#end", "y"),
            (
                "#if(1 == 1.0 && '1' == 1 && 'a' != 'b' && 'a' ne \"b\")y#end",
                "y",
            ),
            ("#if($no || '')y#else n#end#if($no)y#{else}n#end", "yn"),
            ("#if(false)a#elseif(1 eq 2)b#elseif(true)c#{else}d#end", "c"),
            (
                "#set($i = 2)#set($x = [$i..4])$x,#set($y = [3..$i])$y",
                "[2, 3, 4],[3, 2]",
            ),
            (
                "#set($n = 'v')#set($x = \"a $n ${n}b #if($n)c#end\")$x,#set($y = 'a $n')$y",
                "a v vb c,a $n",
            ),
            ("#set($x = \"\\u00e9\")$x", "é"),
            ("#set($x = 'a')#set($x = $no)[$x]", "[]"),
        ],
    );
}

#[test]
fn loops_know_where_they_are() {
    gives(
        r#"{"a":[{"n":"x"},{"n":"y"},{"n":"z"}],"m":{"p":1,"q":2}}"#,
        &[
            (
                "#foreach($i in $input.path('$.a'))$foreach.index$foreach.count$velocityCount$foreach.first$foreach.last$foreach.hasNext:$i.n #end",
                "011truefalsetrue:x 122falsefalsetrue:y 233falsetruefalse:z ",
            ),
            ("#foreach($v in $input.path('$.m'))$v#end", "12"),
            (
                "#foreach($e in $input.path('$.m').entrySet())$e.key=$e.getValue();#end",
                "p=1;q=2;",
            ),
            ("#foreach($i in [1..5])#if($i == 3)#break#end$i#end!", "12!"),
            (
                "#foreach($i in [1..2])#foreach($j in [1..2])$foreach.parent.index$foreach.index #end#end",
                "00 01 10 11 ",
            ),
            (
                "#set($i = 'kept')#foreach($i in [1])$i#end$i#foreach($j in $no)x#end",
                "1kept",
            ),
            ("a#foreach($i in [1..3])$i#stop b#end c", "a1"),
        ],
    );
}

#[test]
fn methods_are_those_of_java() {
    gives(
        r#"{"s":"Hello, Wörld","n":[3,1]}"#,
        &[
            (
                "#set($s = $input.path('$.s'))$s.length() $s.toUpperCase() $s.indexOf('W') $s.substring(7) $s.substring(0, 4)",
                "12 HELLO, WÖRLD 7 Wörld Hell",
            ),
            (
                "#set($s = 'a.b.c..')$s.split('\\.').size() $s.split('\\.')[1] $s.replace('.', '') $s.replaceAll('([abc])\\.', '$1-')",
                "3 b abc a-b-c-.",
            ),
            (
                "#set($s = ' x ')[$s.trim()] $s.isEmpty() $s.contains('x') $s.matches('\\s*x\\s*') $s.startsWith(' ') $s.endsWith('x') $s.equals(' x ')",
                "[x] false true true true false true",
            ),
            (
                "#set($l = [])$l.add('a')$!l.add('b') $l.size() $l.contains('b') $l.indexOf('b') $l.isEmpty() $l.remove(0) $l",
                "truetrue 2 true 1 false a [b]",
            ),
            (
                "#set($m = {})$m.put('a', 1)$m.put('b', $m.get('a')) $m.size() $m.containsKey('a') $m.keySet() $m.values() $m.remove('a') $m",
                " 2 true [a, b] [1, 1] 1 {b=1}",
            ),
            (
                "#set($x = 0)$x.parseInt('42'),#set($y = $x.parseInt('2') + 1)$y,#set($d = 2.9)$d.intValue()",
                "42,3,2",
            ),
            (
                "#set($s = 'x')$s.join(',', $input.path('$.n')) $s.valueOf(7) $s.noSuchMethod() $s.equalsIgnoreCase('X')",
                "3,1 7  true",
            ),
            (
                "#set($m = {'k': [1]})#set($r = $m.k.add(2))$m,#set($m.k[0] = 9)$m.k",
                "{k=[1, 2]},[9, 2]",
            ),
        ],
    );
}

#[test]
fn the_functions_of_util() {
    gives(
        r#"{"q":"it's \"q\"\n","j":"{\"a\":[1,{\"b\":2}]}"}"#,
        &[
            (
                "$util.escapeJavaScript($input.path('$.q'))",
                "it\\'s \\\"q\\\"\\n",
            ),
            ("$util.parseJson($input.path('$.j')).a[1].b", "2"),
            (
                "$util.base64Encode('héllo') $util.base64Decode('aMOpbGxv') $util.base64Decode('YQ')",
                "aMOpbGxv héllo a",
            ),
            (
                "$util.urlEncode('a b&c=d/é*-._') $util.urlDecode('a+b%26%C3%A9')",
                "a+b%26c%3Dd%2F%C3%A9*-._ a b&é",
            ),
            ("[$util.escapeJavaScript($no)$util.parseJson($no)]", "[]"),
        ],
    );
}

#[test]
fn overrides_are_kept_for_the_response() {
    let mut lasting = Lasting::default();
    let request = Template::parse(
        "#set($name = \"foo\")\n#set($context.requestOverride.querystring[$name] = \"bar\")\n\
        $context.requestOverride.querystring.put(\"putfoo\", \"putBar\")\n\
        #set($context[\"requestOverride\"].querystring[\"nestedfoo\"] = \"nestedFoo\")\n\
        #set($context.requestOverride.header.X-Amz-Target = ['a', 'b'])\n\
        #set($context.requestOverride.path.body = $util.base64Decode('eyJtIjoicCJ9'))\n\
        #set($context.responseOverride.status = 444)\n\
        #set($context.responseOverride.header.foo = 'bar')\n\
        #set($context.responseOverride.custom = 'also')",
    );
    render(&request.unwrap(), &mut lasting, "{}").unwrap();
    let said = lasting.request_override().unwrap();
    let texts = |pairs: super::Parameters| {
        let shown = pairs
            .into_iter()
            .map(|(name, values)| format!("{name}={}", values.join("+")));
        shown.collect::<Vec<_>>()
    };
    assert_eq!(
        texts(said.queries),
        ["foo=bar", "putfoo=putBar", "nestedfoo=nestedFoo"]
    );
    assert_eq!(texts(said.headers), ["X-Amz-Target=a+b"]);
    let response = Template::parse(
        "$context.requestOverride.querystring[\"putfoo\"] $util.parseJson($context.requestOverride.path.body).m \
        $context.responseOverride.status $context.responseOverride.header.foo $context.responseOverride.custom",
    );
    let rendered = render(&response.unwrap(), &mut lasting, "{}").unwrap();
    assert_eq!(rendered, "putBar p 444 bar also");
    let said = lasting.response_override().unwrap();
    assert_eq!(
        (said.status, texts(said.headers)),
        (Some(444), vec!["foo=bar".to_owned()])
    );
    for (status, taken) in [
        ("600", None),
        ("'200'", None),
        ("99", None),
        ("204", Some(204)),
    ] {
        let text = format!("#set($context.responseOverride.status = {status})");
        render(&Template::parse(&text).unwrap(), &mut lasting, "{}").unwrap();
        assert_eq!(
            lasting.response_override().unwrap().status,
            taken,
            "{status}"
        );
    }
}

#[test]
fn what_is_not_supported_is_refused_where_it_stands() {
    for (text, part) in [
        ("a\n#macro(x)#end", "line 2: #macro is not supported"),
        ("#mine($x)", "#mine is not supported"),
        ("#@mine()#end", "macro"),
        ("#parse('x')", "#parse"),
        ("#evaluate($x)", "#evaluate"),
        ("#if(true)x", "#if has no #end"),
        ("#end", "without"),
        ("#foreach($x of [1])#end", "in is missing"),
        ("#if($x == null)#end", "n begins no value"),
        ("#set($x = )", "begins no value"),
        ("${x", "not closed"),
        ("#set($x = \"a)", "has no end"),
        ("#* a", "no end"),
        ("#set($x = 99999999999999999999)", "too large"),
    ] {
        let error = Template::parse(text).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
    assert_eq!(
        Template::parse(&"x".repeat(400_000)).unwrap_err(),
        super::TemplateError::TooLong
    );
    for text in [
        "#set($s = 'x')$s.getClass()",
        "#set($s = [1])$s.iterator()",
        "#set($s = 'x')$s.replaceAll('(?=a)', '')",
        "$input.path('$.a[?(@.b =~ /x/)]')",
        "$util.toJson('x')",
    ] {
        assert!(matches!(fails(text), RenderError::Unsupported(_)), "{text}");
    }
    for text in [
        "#set($s = 'x')$s.substring(5)",
        "#set($s = [1])$s.get(1)",
        "$util.parseJson('{')",
        "$util.base64Decode('%')",
    ] {
        assert!(matches!(fails(text), RenderError::Failed(_)), "{text}");
    }
}

#[test]
fn every_template_ends_within_its_limits() {
    assert_eq!(fails("#foreach($i in [1..1001])$i#end"), RenderError::Loop);
    let loops = "#foreach($i in [1..1000])".repeat(4) + "x" + &"#end".repeat(4);
    assert!(matches!(
        fails(&loops),
        RenderError::Steps | RenderError::Values | RenderError::Time
    ));
    let double = "#set($s = 'xxxxxxxx')#foreach($i in [1..40])#set($s = \"$s$s\")#end";
    assert!(matches!(
        fails(double),
        RenderError::Output | RenderError::Values
    ));
    let long =
        "#set($s = 'x')#foreach($i in [1..1000])#set($s = $s.replaceAll('', 'xxxxxxxx'))#end";
    assert!(matches!(
        fails(long),
        RenderError::Output | RenderError::Steps | RenderError::Values | RenderError::Time
    ));
    assert_eq!(fails("#define($a)$a#end$a"), RenderError::Depth);
    assert_eq!(fails("#set($m = {})$m.put('m', $m)$m"), RenderError::Depth);
    assert_eq!(
        fails("#set($m = [])#set($r = $m.add($m))$m"),
        RenderError::Depth
    );
    let wide = "#set($m = [1])#foreach($i in [1..60])#set($m = [$m, $m])#end$m";
    assert_eq!(fails(wide), RenderError::Output);
    let grow = "#set($l = [1..900])#foreach($i in [1..30])#set($r = $l.addAll($l))#end";
    assert!(matches!(
        fails(grow),
        RenderError::Values | RenderError::Steps
    ));
    let regex = "#set($s = 'x')#set($r = $s.matches('((a{100}){100}){100}'))";
    assert!(matches!(fails(regex), RenderError::Unsupported(_)));
}

/// Nested as deep as it may be, in a thread with the stack that a worker has.
#[test]
fn what_nests_is_bounded_and_fits_the_stack() {
    let nest = |open: &str, inner: &str, close: &str, times: usize| {
        open.repeat(times) + inner + &close.repeat(times)
    };
    for (open, inner, close) in [
        ("#if(true)", "x", "#end"),
        ("#foreach($i in [1])", "x", "#end"),
    ] {
        assert!(
            Template::parse(&nest(open, inner, close, 30)).is_ok(),
            "{open}"
        );
        assert!(
            Template::parse(&nest(open, inner, close, 40)).is_err(),
            "{open}"
        );
    }
    for (open, inner, close) in [
        ("(", "1", ")"),
        ("[", "1", "]"),
        ("!", "true", ""),
        ("$a.b(", "1", ")"),
    ] {
        let text = |times| format!("#set($x = {})$x", nest(open, inner, close, times));
        let template = Template::parse(&text(14)).unwrap_or_else(|error| panic!("{open}: {error}"));
        assert!(
            render(&template, &mut Lasting::default(), "{}").is_ok(),
            "{open}"
        );
        assert!(Template::parse(&text(100_000)).is_err(), "{open}");
    }
    let deep = nest("#if(true)", "$a", "#end", 28);
    assert_eq!(
        fails(&format!("#define($a){deep}#end$a")),
        RenderError::Depth
    );
    let json = nest("[", "1", "]", 200);
    let template = Template::parse("$input.path('$..x')").unwrap();
    assert!(render(&template, &mut Lasting::default(), &json).is_err());
}

proptest! {
    /// Pieces of the language in any order.
    #[test]
    fn no_template_is_too_odd(
        text in "(\\$|#|\\{|\\}|\\(|\\)|\\[|\\]|'|\"|\\\\|\\.| |\n|=|,|\\.\\.|-|1|x|!|set\\(|if\\(|else|end|foreach\\(\\$x in |define\\(\\$x\\)|input\\.|path\\('\\$|context\\.|util\\.|é){0,40}",
        body in "(\\{|\\}|\\[|\\]|\"|:|,|1|a|null|é){0,12}",
    ) {
        crate::fuzzing::template(format!("{text}\0{body}").as_bytes());
    }

    #[test]
    fn text_without_signs_is_itself(text in "[^$#\\\\]{0,60}") {
        let template = Template::parse(&text).unwrap();
        prop_assert_eq!(template.literal(), Some(&*text));
    }
}
