// What go-oidc and golang.org/x/oauth2 can do at the authority.
//
//	authority_client SITE STEP
//
// As authority_common.mjs has it.
package main

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/coreos/go-oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/oauth2/jws"
	"golang.org/x/oauth2/jwt"
	"gopkg.in/square/go-jose.v2"
)

type secretClient struct{ ID, Secret string }

type site struct {
	Issuer, Resource, Opaque string
	Basic, Post              secretClient
	Robot                    struct {
		ID  string
		Key json.RawMessage
	}
	SubjectToken string `json:"subject_token"`
}

type answer [2]string

var (
	told     site
	provider *oidc.Provider
	ctx      = context.Background()
)

func main() {
	file, err := os.ReadFile(os.Args[1])
	check(err)
	check(json.Unmarshal(file, &told))
	provider, err = oidc.NewProvider(ctx, told.Issuer)
	check(err)
	steps := map[string]func() []answer{
		"discovery":          discovery,
		"client-credentials": clientCredentials,
		"jwt-bearer":         jwtBearer,
		"refresh":            refresh,
		"token-exchange":     tokenExchange,
		"refused":            refused,
		"rotation":           rotation,
	}
	check(json.NewEncoder(os.Stdout).Encode(steps[os.Args[2]]()))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Not what a client library knows of: its program reads the rest of the document.
func discovery() []answer {
	var document struct {
		Token      string `json:"token_endpoint"`
		Introspect string `json:"introspection_endpoint"`
		Revoke     string `json:"revocation_endpoint"`
		Keys       string `json:"jwks_uri"`
	}
	check(provider.Claims(&document))
	ends := []string{provider.Endpoint().TokenURL, document.Introspect, document.Revoke, document.Keys}
	for index, end := range ends {
		ends[index] = strings.TrimPrefix(end, told.Issuer+"/")
	}
	return []answer{{"endpoints", strings.Join(ends, ", ")}}
}

func credentials(client secretClient, style oauth2.AuthStyle, resource string, scope string) (*oauth2.Token, error) {
	config := clientcredentials.Config{
		ClientID:       client.ID,
		ClientSecret:   client.Secret,
		TokenURL:       provider.Endpoint().TokenURL,
		Scopes:         []string{scope},
		EndpointParams: url.Values{"resource": {resource}},
		AuthStyle:      style,
	}
	return config.Token(ctx)
}

func clientCredentials() []answer {
	basic, err := credentials(told.Basic, oauth2.AuthStyleInHeader, told.Resource, "read")
	check(err)
	post, err := credentials(told.Post, oauth2.AuthStyleInParams, told.Resource, "read")
	check(err)
	opaque, err := credentials(told.Basic, oauth2.AuthStyleInHeader, told.Opaque, "read")
	check(err)
	return []answer{
		{"client_secret_basic", granted(basic)},
		{"client_secret_post", granted(post)},
		{"opaque", granted(opaque)},
	}
}

// Its key as the library wants it.
func robotKey() *rsa.PrivateKey {
	var key jose.JSONWebKey
	check(key.UnmarshalJSON(told.Robot.Key))
	return key.Key.(*rsa.PrivateKey)
}

func jwtBearer() []answer {
	pkcs8, err := x509.MarshalPKCS8PrivateKey(robotKey())
	check(err)
	config := jwt.Config{
		Email:         told.Robot.ID,
		Subject:       told.Robot.ID,
		PrivateKey:    pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
		PrivateKeyID:  robotKid(),
		TokenURL:      provider.Endpoint().TokenURL,
		Audience:      told.Issuer,
		Expires:       time.Minute,
		PrivateClaims: map[string]interface{}{"jti": jti()},
	}
	token, err := config.TokenSource(ctx).Token()
	check(err)
	return []answer{{"service account", granted(token)}}
}

func robotKid() string {
	var key struct{ Kid string }
	check(json.Unmarshal(told.Robot.Key, &key))
	return key.Kid
}

func jti() string {
	return fmt.Sprint(time.Now().UnixNano())
}

// Tokens for a service account, with a client that may refresh them.
func robot() *oauth2.Token {
	header := jws.Header{Algorithm: "RS256", Typ: "JWT", KeyID: robotKid()}
	assertion, err := jws.Encode(&header, &jws.ClaimSet{
		Iss:           told.Robot.ID,
		Sub:           told.Robot.ID,
		Aud:           told.Issuer,
		Exp:           time.Now().Add(time.Minute).Unix(),
		PrivateClaims: map[string]interface{}{"jti": jti()},
	}, robotKey())
	check(err)
	return other(url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"},
		"assertion":  {assertion},
		"resource":   {told.Resource},
	})
}

// The library knows no other grants, but lets them be asked for in place of client credentials.
func other(parameters url.Values) *oauth2.Token {
	config := clientcredentials.Config{
		ClientID:       told.Basic.ID,
		ClientSecret:   told.Basic.Secret,
		TokenURL:       provider.Endpoint().TokenURL,
		Scopes:         []string{"read"},
		AuthStyle:      oauth2.AuthStyleInHeader,
		EndpointParams: parameters,
	}
	token, err := config.Token(ctx)
	check(err)
	return token
}

func exchange(token string) *oauth2.Token {
	return other(url.Values{
		"grant_type":         {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"subject_token":      {token},
		"subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
		"resource":           {told.Resource},
	})
}

func tokenExchange() []answer {
	ours, err := credentials(told.Basic, oauth2.AuthStyleInHeader, told.Resource, "read")
	check(err)
	return []answer{
		{"of oidc-provider", granted(exchange(told.SubjectToken))},
		{"of ours", granted(exchange(ours.AccessToken))},
	}
}

func refreshed(token string) (*oauth2.Token, error) {
	config := oauth2.Config{ClientID: told.Basic.ID, ClientSecret: told.Basic.Secret, Endpoint: provider.Endpoint()}
	config.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	return config.TokenSource(ctx, &oauth2.Token{RefreshToken: token}).Token()
}

func refresh() []answer {
	first := robot().RefreshToken
	next, err := refreshed(first)
	check(err)
	_, again := refreshed(first)
	_, successor := refreshed(next.RefreshToken)
	return []answer{{"next", granted(next)}, {"used again", outcome(again)}, {"its successor", outcome(successor)}}
}

func refused() []answer {
	_, secret := credentials(secretClient{told.Basic.ID, "wrong"}, oauth2.AuthStyleInHeader, told.Resource, "read")
	_, scope := credentials(told.Basic, oauth2.AuthStyleInHeader, told.Resource, "admin")
	_, resource := credentials(told.Basic, oauth2.AuthStyleInHeader, "https://other.example", "read")
	return []answer{
		{"wrong secret", outcome(secret)},
		{"another's scope", outcome(scope)},
		{"another's resource", outcome(resource)},
	}
}

var code = regexp.MustCompile(`"error":\s*"([^"]*)"`)

func outcome(err error) string {
	refusal, is := err.(*oauth2.RetrieveError)
	if wrapped, isURL := err.(*url.Error); isURL {
		refusal, is = wrapped.Err.(*oauth2.RetrieveError)
	}
	if !is {
		return fmt.Sprint("granted, or not answered: ", err)
	}
	found := code.FindStringSubmatch(string(refusal.Body))
	return fmt.Sprintf("%d %s", refusal.Response.StatusCode, strings.Join(found[len(found)-1:], ""))
}

func verifier() *oidc.IDTokenVerifier {
	return provider.Verifier(&oidc.Config{ClientID: told.Resource})
}

// What a token endpoint granted, in words; the token is verified where it is a JWT.
func granted(token *oauth2.Token) string {
	words := []string{token.Type(), fmt.Sprint(token.Extra("scope"))}
	if strings.Count(token.AccessToken, ".") != 2 {
		return strings.Join(append(words, "opaque"), ", ")
	}
	verified, err := verifier().Verify(ctx, token.AccessToken)
	check(err)
	var claims struct {
		Kind string `json:"subject_type"`
	}
	check(verified.Claims(&claims))
	subject := verified.Subject
	if claims.Kind == "identity" {
		subject = "somebody"
	}
	return strings.Join(append(words, fmt.Sprintf("of %s %s", claims.Kind, subject)), ", ")
}

// The time that passes at the authority does not pass here: what may be kept for minutes may be kept for a second.
type hurried struct{}

func (hurried) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(request)
	if err == nil && response.Header.Get("Cache-Control") != "" {
		response.Header.Set("Cache-Control", "public, max-age=1")
	}
	return response, err
}

func rotation() []answer {
	hurrying := oidc.ClientContext(ctx, &http.Client{Transport: hurried{}})
	provider, err := oidc.NewProvider(hurrying, told.Issuer)
	check(err)
	keep := provider.Verifier(&oidc.Config{ClientID: told.Resource})
	first, err := credentials(told.Basic, oauth2.AuthStyleInHeader, told.Resource, "read")
	check(err)
	for {
		next, err := credentials(told.Basic, oauth2.AuthStyleInHeader, told.Resource, "read")
		check(err)
		for _, token := range []string{first.AccessToken, next.AccessToken} {
			if _, err := keep.Verify(ctx, token); err != nil {
				fmt.Println("refused:", err)
				continue
			}
			fmt.Println("accepted", kid(token))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func kid(token string) string {
	text, err := base64.RawURLEncoding.DecodeString(strings.SplitN(token, ".", 2)[0])
	check(err)
	var header struct{ Kid string }
	check(json.Unmarshal(text, &header))
	return header.Kid
}
